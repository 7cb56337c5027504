"""Defect: every answer has the status 200, also to methods that it does not have: GET gets a friendly page."""

from _plain import TEXT
from _plain_http import PlainHttp


class Friendly(PlainHttp):
    """A status page at the address of the endpoint."""

    def other(self, request):
        self.send(request, 200, {"status": "ok"})


if __name__ == "__main__":
    Friendly({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).serve()
