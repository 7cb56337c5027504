"""Defect: the worker process that it starts is left behind when it ends."""

import subprocess
import sys

from _plain import TEXT, Plain

# A minute at most: this one is only to be found, not to stay.
WORKER = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(60)"]

if __name__ == "__main__":
    worker = subprocess.Popen(WORKER, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    Plain({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).run()
