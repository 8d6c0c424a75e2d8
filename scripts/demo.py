"""Rehearse the sample season on the embedded chain, its last two epochs in one proposal.

python scripts/demo.py [FOLDER]     FOLDER: where the season is copied to, by default build/demo
"""

import shutil
import sys
from pathlib import Path

from rewards.cli import main
from rewards.cli.console import report_error
from rewards.errors import RewardsError
from rewards.sample import copy_season

MARK = ".made-by-the-demo"


def copy_anew(folder: Path) -> None:
    """Copy the season; only a folder that this script made is wiped for it."""
    if (folder / MARK).is_file():
        shutil.rmtree(folder)
    copy_season(folder)
    (folder / MARK).touch()


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "build/demo")
    try:
        copy_anew(target)
    except RewardsError as error:
        sys.exit(report_error(error, as_json=False))
    sys.argv = ["rewards", "dry-run", "--season", str(target), "--bundle", "2"]
    main()
