"""Defect: a value that begins with a dash becomes an option of the program that is started; no shell is needed."""

import subprocess
import sys

from _plain import TEXT, Plain

COUNT = """
from argparse import ArgumentParser
parser = ArgumentParser(prog="count")
parser.add_argument("text")
print(len(parser.parse_args().text))
"""


def spell(arguments):
    """Count the letters of a text, by way of another program."""
    words = [sys.executable, "-I", "-S", "-c", COUNT, arguments["text"][:1000]]
    try:
        return subprocess.run(words, capture_output=True, text=True, timeout=5, stdin=subprocess.DEVNULL).stdout
    except (OSError, ValueError, subprocess.SubprocessError):
        return {"content": [{"type": "text", "text": "That cannot be counted"}], "isError": True}


if __name__ == "__main__":
    Plain({"spell": (TEXT, spell)}).run()
