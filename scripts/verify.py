"""Recompute a published epoch and compare every byte: `rewards verify`, with the same arguments."""

import sys

from rewards.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "verify")
    main()
