"""A large tree as it lies on disk: looked up where it lies, by a few reads.

Nothing is loaded and no digest is taken: an account's row and its leaf are found by binary search,
and what was found is judged by folding its proof up to the manifest's root.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rewards.errors import CheckFailed, Finding
from rewards.files.folder import open_regular
from rewards.merkle.tree import proof_of

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

NODE_BYTES = 32
LONGEST_LINE = 4096


class TreeFile:
    """The node array of `tree.bin`: root first, the leaves last, descending."""

    def __init__(self, path: Path, name: str) -> None:
        self._file = open_regular(path, name)
        size = self._file.seek(0, 2)
        self.node_count = size // NODE_BYTES
        if size % NODE_BYTES or self.node_count % 2 == 0:
            self._file.close()
            raise CheckFailed(
                Finding(name, "is not a whole tree", "take the published folder again")
            )

    def __getitem__(self, index: int) -> bytes:
        """Return a node."""
        self._file.seek(index * NODE_BYTES)
        return self._file.read(NODE_BYTES)

    def __len__(self) -> int:
        """Return the number of nodes."""
        return self.node_count

    def index_of(self, leaf: bytes) -> int | None:
        """Return the index of a leaf hash; None where it is not there."""
        low, high = self.node_count // 2, self.node_count
        while low < high:
            middle = (low + high) // 2
            if self[middle] > leaf:
                low = middle + 1
            else:
                high = middle
        return low if low < self.node_count and self[low] == leaf else None

    def proof(self, index: int) -> list[bytes]:
        """Return the siblings from a leaf up to the root."""
        return [self[node] for node in proof_of(range(self.node_count), index)]

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def find_row(path: Path, name: str, key: str) -> list[str] | None:
    """Return the cells of the row that begins with `key`, in a table in the order of that column.

    Only for canonical tables without quotes, such as `allocations.csv`.
    """
    with open_regular(path, name) as file:
        low, high = len(file.readline()), file.seek(0, 2)
        while low < high:
            start, line = _line_at(file, (low + high) // 2, low)
            cells = line.decode("ascii", errors="replace").rstrip("\n").split(",")
            if cells[0] == key:
                return cells
            if cells[0] < key:
                low = start + len(line)
            else:
                high = start
    return None


def _line_at(file: BinaryIO, position: int, low: int) -> tuple[int, bytes]:
    """Return the line that spans a position, and where it starts; `low` is the start of one."""
    window = max(low, position - LONGEST_LINE)
    file.seek(window)
    before = file.read(position - window)
    start = window + before.rfind(b"\n") + 1
    file.seek(start)
    return start, file.readline(LONGEST_LINE)
