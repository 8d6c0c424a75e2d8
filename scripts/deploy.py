"""Deploy a distributor and write settlement.toml: `rewards deploy`, with the same arguments."""

import sys

from rewards.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "deploy")
    main()
