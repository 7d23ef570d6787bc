"""`python -m data_synthesis <command>`."""

import sys

from data_synthesis.cli import main

if __name__ == "__main__":
    sys.exit(main())
