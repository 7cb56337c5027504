"""Defect: sessions are numbered, so that anyone can guess the next one and the last one."""

from itertools import count

from _plain import TEXT
from _plain_http import PlainHttp

NUMBERS = count(1)
KNOWN = set()


class Counting(PlainHttp):
    """A session with every answer to initialize."""

    def turned_away(self, headers, port):
        session = headers.get("Mcp-Session-Id")
        return super().turned_away(headers, port) or (404 if session and session not in KNOWN else None)

    def send(self, request, status, frame=None, headers=None):
        if "protocolVersion" in (frame or {}).get("result", {}):
            session = f"session-{next(NUMBERS):08}"
            KNOWN.add(session)
            headers = {"Mcp-Session-Id": session}
        super().send(request, status, frame, headers)


if __name__ == "__main__":
    Counting({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).serve()
