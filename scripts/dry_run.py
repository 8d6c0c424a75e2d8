"""Rehearse a settlement down to the last claim: `rewards dry-run`, with the same arguments."""

import sys

from rewards.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "dry-run")
    main()
