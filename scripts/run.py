"Run a batch: the same as `artmint run`, for those who work in a clone."

import sys

from artmint.console.cli import main

if __name__ == "__main__":
    main(["run", *sys.argv[1:]])
