"""Forged published folders: one field of one file changed, every digest made to agree again."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
from typing import TYPE_CHECKING, Any

from rewards.files.documents import canonical_json
from rewards.files.manifest import INPUTS_FOLDER, MANIFEST, manifest_digest

if TYPE_CHECKING:
    import random
    from pathlib import Path

ODD_CELLS = (
    "", "0", "-1", "-0", "1", "007", "1e3", "1_0", "x", "active", "true", "9" * 90, "٣", "=1+1",
    '"', "a,b", "0x", "0x" + "00" * 20, "0x" + "ab" * 20, "node:x", "\x00", "½", "NaN", " 1",
)  # fmt: skip
ODD_VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 10**40, "", "x", "-1", "1", "9" * 90, [], [[]], {}, {"a": "b"}, ["x"],
    "0x" + "00" * 32, "wct-2", "2026-06-01T00:00:00Z", "1969-01-01T00:00:00Z", "=1+1", "½",
)  # fmt: skip


def forge(source: Path, target: Path, chance: random.Random, name: str = "") -> str:
    """Copy a published folder with one change in it, made to agree; return what was changed."""
    shutil.copytree(source, target)
    names = sorted(p.relative_to(target).as_posix() for p in target.rglob("*") if p.is_file())
    name = name or chance.choice(names)
    path = target / name
    content = path.read_bytes()
    if name.endswith(".json"):
        forged, what = _forge_json(content, chance)
    elif name.endswith(".csv"):
        forged, what = _forge_csv(content, chance)
    else:
        forged, what = _forge_bytes(content, chance)
    path.write_bytes(forged)
    agree(target)
    return f"{name}: {what}"


def agree(folder: Path) -> None:
    """Write the digests of all files, and its own, into a folder's manifest."""
    path = folder / MANIFEST
    try:
        document = json.loads(path.read_bytes())
        for section, prefix in (("inputs", INPUTS_FOLDER), ("outputs", "")):
            for name in document[section]:
                file = folder / f"{prefix}{name}"
                document[section][name] = hashlib.sha256(file.read_bytes()).hexdigest()
        document["digest"] = manifest_digest(document)
    except (ValueError, KeyError, TypeError, AttributeError, OSError):
        return
    path.write_bytes(canonical_json(document))


def _forge_json(content: bytes, chance: random.Random) -> tuple[bytes, str]:
    document = json.loads(content)
    holder: Any = document
    path = ""
    while True:
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        key = chance.choice(keys)
        path += f".{key}"
        if not isinstance(holder[key], (dict, list)) or not holder[key] or chance.random() < 0.15:
            break
        holder = holder[key]
    act = chance.randrange(6)
    if act == 0:
        del holder[key]
        what = "taken out"
    elif act == 1 and isinstance(holder, dict):
        holder[f"{key}x"] = holder[key]
        what = "doubled under another name"
    elif act == 2 and isinstance(holder, list):
        holder.append(holder[key])
        what = "doubled"
    else:
        holder[key] = _near(holder[key], chance)
        what = f"is {str(holder[key])[:40]!r}"
    return canonical_json(document), f"{path} {what}"


def _near(value: Any, chance: random.Random) -> Any:
    """Return another value: one of the odd ones, or one just beside it."""
    if isinstance(value, str) and value and chance.random() < 0.5:
        if value.isdecimal():
            return str(int(value) + 1)
        at = chance.randrange(len(value))
        return value[:at] + chance.choice("0a9.") + value[at + 1 :]
    return chance.choice(ODD_VALUES)


def _forge_csv(content: bytes, chance: random.Random) -> tuple[bytes, str]:
    rows = list(csv.reader(io.StringIO(content.decode())))
    row = chance.randrange(len(rows))
    act = chance.randrange(8)
    if act == 0:
        del rows[row]
        what = f"row {row + 1} taken out"
    elif act == 1:
        rows.append(rows[row])
        what = f"row {row + 1} doubled"
    elif act == 2:
        rows[row] = rows[row][:-1]
        what = f"row {row + 1} cut short"
    elif act == 3 and len(rows) > 2:
        rows[1], rows[-1] = rows[-1], rows[1]
        what = "the first and the last row changed places"
    else:
        column = chance.randrange(len(rows[row]))
        cell = rows[row][column]
        near = chance.random() < 0.5 and cell.isdecimal()
        rows[row][column] = str(int(cell) + 1) if near else chance.choice(ODD_CELLS)
        what = f"row {row + 1}, cell {column + 1}: {rows[row][column][:40]!r} for {cell[:40]!r}"
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode(), what


def _forge_bytes(content: bytes, chance: random.Random) -> tuple[bytes, str]:
    if chance.random() < 0.2:
        return b"", "emptied"
    at = chance.randrange(max(len(content), 1))
    put = bytes([chance.choice(b'019a"=[]\n#.-\x00\xff')])
    if chance.random() < 0.3:
        return content[:at] + put + content[at:], f"{put!r} put in at {at}"
    return content[:at] + put + content[at + 1 :], f"{put!r} at {at}"
