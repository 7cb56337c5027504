"""Defect: when the pipe to the client is full, it throws the answer away instead of waiting.

(Not on Windows, where a pipe cannot be told not to wait before Python 3.12.)
"""

import json
import os
from contextlib import suppress

from _plain import TEXT, Plain


class Impatient(Plain):
    """Writes what the pipe takes at once, and no more."""

    def write(self, frame):
        data = json.dumps(frame).encode() + b"\n"
        with suppress(BlockingIOError):  # too bad
            os.write(1, data)


if __name__ == "__main__":
    os.set_blocking(1, False)
    Impatient({"shout": (TEXT, lambda arguments: arguments["text"][:1].upper() * 800)}).run()
