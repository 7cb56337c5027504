"""Defect: what is asked for is kept in a place that all requests share, so that clients get each other's answers."""

import time

from _plain import TEXT
from _plain_http import PlainHttp

ASKED = {}


def shout(arguments):
    """Text in capitals, after a moment."""
    ASKED["text"] = arguments["text"]
    time.sleep(0.02)
    return ASKED["text"].upper()


if __name__ == "__main__":
    PlainHttp({"shout": (TEXT, shout)}).serve()
