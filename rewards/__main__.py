"""`python -m rewards`."""

from rewards.cli import main

if __name__ == "__main__":
    main()
