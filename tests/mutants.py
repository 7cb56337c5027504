"""`make mutants`: are the checks of the exercises any good? See labkit/grading/mutants.py."""

import sys

from labkit.grading.mutants import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
