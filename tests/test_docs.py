"""The README and the rooms' own say what the program does: commands, parameters, targets."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from rewards.cli import COMMANDS, rewards
from rewards.rules.wct1 import PARAMETERS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("rewards/*/README.md"))]
TEXTS = {page: page.read_text(encoding="utf-8") for page in PAGES}


def test_parameters__table_equals_the_code() -> None:
    table = README.partition("### Parameters")[2].partition("###")[0]
    rows = re.findall(r"^\| `([a-z]+\.[a-z_]+)` \| (`[^`]+`|absent) \|", table, re.MULTILINE)
    documented = {key: default.strip("`") for key, default in rows}

    def text(default: object) -> str:
        return "absent" if default is None else str(default).lower()

    assert documented == {p.key: text(p.default) for p in PARAMETERS}


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_command__is_documented(name: str) -> None:
    assert f"`rewards {name}" in README


def documented_calls() -> list[str]:
    text = "\n".join(TEXTS.values())
    blocks = re.findall(r"^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]
    return sorted({line for line in lines if line.startswith("rewards ")})


@pytest.mark.parametrize("call", documented_calls())
def test_documented_call__uses_options_that_exist(call: str) -> None:
    name, *arguments = shlex.split(call)[1:]
    command = rewards.get_command(None, name)  # type: ignore[arg-type]
    assert command is not None
    while isinstance(command, click.Group):
        command = command.commands[arguments.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts}
    used = {word for word in arguments if word.startswith("--")}
    assert used <= known


def test_make_targets__that_are_named__exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    text = "\n".join(TEXTS.values())
    for target in set(re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_rooms__of_the_readme_exist() -> None:
    for folder in re.findall(
        r"^\| `((?:rewards|contracts_abi|scripts|tests)/[a-z0-9_/]*)`", README
    ):
        assert (ROOT / folder).is_dir(), folder


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links__lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", TEXTS[page]):
        name, _, anchor = target.partition("#")
        linked = page.parent / name if name else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


@pytest.mark.parametrize("page", PAGES[1:], ids=lambda page: str(page.relative_to(ROOT)))
def test_page_of_a_room__is_linked_from_the_readme(page: Path) -> None:
    assert f"({page.relative_to(ROOT).as_posix()}" in README
