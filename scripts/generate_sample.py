"""Generate the sample season anew; `git diff rewards/sample/season` then shows what changed."""

import sys
from pathlib import Path

from rewards.sample.generator import generate

COMMITTED = Path(__file__).parent.parent / "rewards" / "sample" / "season"

if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else COMMITTED)
