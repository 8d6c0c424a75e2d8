"""Measure this machine, write tests/benchmarks/RESULTS.md; --full: 5M wallets, --resume: go on."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.benchmarks.run import main

if __name__ == "__main__":
    main(sys.argv[1:])
