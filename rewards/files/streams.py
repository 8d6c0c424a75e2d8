"""Files too large to be held in memory: their bytes are made when they are written or compared."""

from __future__ import annotations

import hashlib
import sys
from collections import deque
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future
    from pathlib import Path

SWITCH_SECONDS = 0.0005
"""How long a thread that runs Python code keeps the others waiting, at most.

They wait for it a thousand times a table, to begin the next step that runs without it.
"""

T = TypeVar("T")
R = TypeVar("R")


def ahead(work: Callable[[T], R], items: Iterable[T], threads: int) -> Iterator[R]:
    """Yield the results of `work` in order, some items ahead in threads; memory stays bounded."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - slow to load, seldom used

    sys.setswitchinterval(SWITCH_SECONDS)
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[R]] = deque()
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def begun(work: Callable[[], R]) -> Callable[[], R]:
    """Begin work in a thread; return what waits for its end and gives its result, or its error."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    pool = ThreadPoolExecutor(1)
    future = pool.submit(work)
    pool.shutdown(wait=False)
    return future.result


class Streamed:
    """The bytes of a large file, made block by block each time they are asked for."""

    def __init__(self, render: Callable[[], Iterable[bytes]]) -> None:
        self._render = render
        self._digest: str | None = None

    def blocks(self) -> Iterator[bytes]:
        """Yield the bytes from the start, block by block."""
        digest = hashlib.sha256()
        for block in self._render():
            digest.update(block)
            yield block
        self._digest = digest.hexdigest()

    @property
    def digest(self) -> str:
        """Their SHA-256, as `sha256sum` prints it; known for nothing once they were written."""
        if self._digest is None:
            deque(self.blocks(), maxlen=0)
        return self._digest or ""


Content = bytes | Streamed
"""A file's bytes, in memory or yet to be made."""


def blocks_of(content: Content) -> Iterable[bytes]:
    """Return a file's bytes in one block or several."""
    return (content,) if isinstance(content, bytes) else content.blocks()


def bytes_of(content: Content) -> bytes:
    """Return a file's bytes, all of them."""
    return b"".join(blocks_of(content))


def is_same(path: Path, content: Content) -> bool:
    """Return whether a file on disk holds just these bytes."""
    with path.open("rb") as file:
        same = all(file.read(len(block)) == block for block in blocks_of(content))
        return same and not file.read(1)
