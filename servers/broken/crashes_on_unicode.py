"""Defect: its stdout takes ASCII only, as under LANG=C, so an answer with an ä in it ends the process."""

import json
import sys

from _plain import TEXT, Plain


class Ascii(Plain):
    """Writes text as it is, to a stream that cannot take it."""

    def write(self, frame):
        sys.stdout.write(json.dumps(frame, ensure_ascii=False) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="ascii")
    Ascii({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).run()
