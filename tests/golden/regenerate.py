"""Write the expected files of the vectors anew: `python -m tests.golden.regenerate [CASE ...]`.

Only for a new case, a new ruleset or a change of a file format; `git diff tests/vectors` then
shows every byte that changed, and each of them wants a reason. An amount that changes under an
existing ruleset is a defect, not a reason.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.golden.vectors import cases, recompute, replace_expected


def main(names: list[str]) -> int:
    """Write the named cases, or all."""
    unknown = set(names) - set(cases())
    if unknown:
        sys.stderr.write(f"no such case: {', '.join(sorted(unknown))}\n")
        return 2
    with TemporaryDirectory() as workspace:
        for case in names or cases():
            for epoch, published in recompute(case, Path(workspace)):
                replace_expected(case, epoch, published)
                sys.stdout.write(f"{case}/{epoch}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
