"""Defect: a client that accepts only one kind of answer gets HTTP 500, as if the server had broken down."""

from _plain import TEXT
from _plain_http import PlainHttp


class Stumbling(PlainHttp):
    """Has not thought of such clients."""

    def turned_away(self, headers, port):
        status = super().turned_away(headers, port)
        return 500 if status == 406 else status


if __name__ == "__main__":
    Stumbling({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).serve()
