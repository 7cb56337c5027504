"""Defect: a line that is not JSON ends it: nobody catches what the parser raises."""

import json
import sys

from _plain import TEXT, Plain


class Trusting(Plain):
    """Reads as in a tutorial."""

    def run(self):
        for line in sys.stdin:
            self.take(json.loads(line))


if __name__ == "__main__":
    Trusting({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).run()
