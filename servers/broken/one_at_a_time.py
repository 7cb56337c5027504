"""Defect: a second instance does not start while the first runs: it listens on a port of its own, always the same."""

import os
import socket
import sys

from _plain import TEXT, Plain

PORT = 20_000 + os.getppid() % 12_000
"""Nobody connects to it: it is a lock, as people make them; one for each host, so that tests can run side by side."""

if __name__ == "__main__":
    with socket.socket() as lock:
        try:
            lock.bind(("127.0.0.1", PORT))
        except OSError:
            sys.exit("it is running already")
        Plain({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).run()
