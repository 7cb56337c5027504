"""Defect: it wants a token, and does not say where one is to be had: 401, and nothing else."""

from _plain import TEXT
from _plain_http import PlainHttp


class Silent(PlainHttp):
    """Knows one token."""

    def turned_away(self, headers, port):
        return super().turned_away(headers, port) or (None if headers.get("Authorization") == "Bearer lab" else 401)


if __name__ == "__main__":
    Silent({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).serve()
