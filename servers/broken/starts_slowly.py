"""Defect: it loads everything before it listens. Seconds that this takes: the first argument, 6 when left out."""

import sys
import time

from _plain import TEXT, Plain


def load_dictionary(seconds):
    """What takes its time: a model, a big import, a database that is far away."""
    print("loading the dictionary", file=sys.stderr, flush=True)
    time.sleep(seconds)
    print("dictionary loaded", file=sys.stderr, flush=True)


if __name__ == "__main__":
    load_dictionary(float(sys.argv[1]) if len(sys.argv) > 1 else 6.0)
    Plain({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).run()
