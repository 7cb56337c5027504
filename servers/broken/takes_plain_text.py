"""Defect: it takes requests of any content type: those that a page may send to another site without being asked."""

from _plain import TEXT
from _plain_http import PlainHttp


class Omnivorous(PlainHttp):
    """Parses whatever comes."""

    def turned_away(self, headers, port):
        del headers["Content-Type"]
        headers["Content-Type"] = "application/json"
        return super().turned_away(headers, port)


if __name__ == "__main__":
    Omnivorous({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).serve()
