"""Write one file that binds a settlement step: `rewards plan`, with the same arguments."""

import sys

from rewards.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "plan")
    main()
