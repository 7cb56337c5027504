"""Defect: it lets in requests from any web page: neither Origin nor Host is looked at."""

from _plain import TEXT
from _plain_http import PlainHttp


class Open(PlainHttp):
    """Compares with what the request itself says."""

    def turned_away(self, headers, port):
        del headers["Origin"], headers["Host"]
        headers["Host"] = f"127.0.0.1:{port}"
        return super().turned_away(headers, port)


if __name__ == "__main__":
    Open({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).serve()
