"""Defect: a value is put into a command line, and a shell runs it."""

import subprocess

from _plain import TEXT, Plain


def say(arguments):
    """Repeat the text, by way of a shell."""
    line = f"echo {arguments['text'][:1000]}"
    try:
        return subprocess.run(
            line, shell=True, capture_output=True, text=True, timeout=5, stdin=subprocess.DEVNULL
        ).stdout
    except (OSError, ValueError, subprocess.SubprocessError):
        return {"content": [{"type": "text", "text": "That cannot be said"}], "isError": True}


if __name__ == "__main__":
    Plain({"say": (TEXT, say)}).run()
