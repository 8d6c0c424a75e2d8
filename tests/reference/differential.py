"""Hold the program against the second program on many random seasons.

    python -m tests.reference.differential --runs 1000 --seed 0

Exit code 1 and the seed of the first season on which they differ.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.reference.random_epochs import write_season
from tests.reference.test_differential import hold_against_each_other


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    started, epochs = time.monotonic(), 0
    for seed in range(arguments.seed, arguments.seed + arguments.runs):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            try:
                seasons = write_season(seed, root / "inputs")
                epochs += hold_against_each_other(seasons, root / "epochs")
            except AssertionError as difference:
                print(f"seed {seed}: {difference}")
                return 1
    seconds = time.monotonic() - started
    print(f"{arguments.runs} seasons, {epochs} epochs: no difference ({seconds:.0f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
