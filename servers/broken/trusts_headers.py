"""Defect: headers and body may disagree: what a gateway allows by the headers is not what this server does."""

from _plain import TEXT
from _plain_http import PlainHttp


class Trusting(PlainHttp):
    """Looks at the body only."""

    def agrees(self, headers, message):
        pass


if __name__ == "__main__":
    Trusting({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).serve()
