"""Measure many probes beside pandas, time and memory; 50 million rewrite the committed table."""

import sys
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HOME))

from tests.measure.benchmark import main  # noqa: E402

ROWS = 50_000_000

if __name__ == "__main__":
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else HOME / "build" / "benchmark-measure"
    report = HOME / "tests" / "measure" / "BENCHMARK.md" if rows == ROWS else folder / "table.md"
    sys.exit(main(rows, folder, report))
