"""Compute one epoch and publish its folder: `rewards compute`, with the same arguments."""

import sys

from rewards.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "compute")
    main()
