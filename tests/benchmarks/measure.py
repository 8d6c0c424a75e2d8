"""A process measured from outside, and a log of figures that an interrupted run takes up again."""

from __future__ import annotations

import json
import os
import select
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST = 1200
"""Seconds after which a process is given up."""


@dataclass(frozen=True)
class Measured:
    """What a process took: wall and CPU seconds (all its threads), peak memory, its output."""

    wall: float
    cpu: float
    megabytes: float
    output: str = ""


def measure(*command: object) -> Measured:
    """Run a command; return what it took.

    Raises:
        RuntimeError: It failed, or took too long.
    """
    with tempfile.TemporaryFile("w+") as output:
        start = time.perf_counter()
        process = subprocess.Popen(list(map(str, command)), stdout=output, stderr=output)
        ended = select.poll()
        handle = os.pidfd_open(process.pid)
        ended.register(handle, select.POLLIN)
        peak, elapsed = 0, 0.0
        # Not ru_maxrss: a child inherits the peak of the process that started it.
        while not ended.poll(min(50, max(1, 20 * elapsed))):
            peak = max(peak, high_water(process.pid))
            elapsed = time.perf_counter() - start
            if elapsed > LONGEST:
                process.kill()
        wall = time.perf_counter() - start
        os.close(handle)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if process.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {text[-500:].strip()}")
    return Measured(wall, usage.ru_utime + usage.ru_stime, peak / 1024, text)


def high_water(pid: int) -> int:
    """Return the most memory in KiB that a running process held so far."""
    status = Path(f"/proc/{pid}/status").read_text()
    lines = (line.split() for line in status.splitlines() if line.startswith("VmHWM"))
    return next((int(words[1]) for words in lines), 0)


def best(times: int, *command: object) -> Measured:
    """Return the quickest of several runs."""
    return min((measure(*command) for _ in range(times)), key=lambda m: m.wall)


class Figures:
    """Figures by name, kept in a file from the moment each is known."""

    def __init__(self, path: Path, *, resume: bool) -> None:
        self.path = path
        self.known: dict[str, Measured] = {}
        self.failures: dict[str, str] = {}
        if resume and path.exists():
            entries = json.loads(path.read_text())
            self.known = {name: Measured(**entry) for name, entry in entries.items()}

    def take(self, name: str, make: Callable[[], Measured]) -> Measured | None:
        """Return a figure, measured where it is not known; None, with a note, where it fails."""
        if name in self.known:
            return self.known[name]
        print(f"{time.strftime('%H:%M:%S')} {name}", flush=True)
        try:
            figure = make()
        except (RuntimeError, OSError) as error:
            print(f"         failed: {error}", flush=True)
            self.failures[name] = str(error)
            return None
        self.known[name] = figure
        written = self.path.with_suffix(".partial")
        written.write_text(json.dumps({k: asdict(v) for k, v in self.known.items()}, indent=1))
        written.replace(self.path)
        return figure
