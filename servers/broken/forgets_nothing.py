"""Defect: any session id is as good as one it gave, also one that was ended: clients never learn to begin anew."""

from uuid import uuid4

from _plain import TEXT
from _plain_http import PlainHttp


class Forgiving(PlainHttp):
    """Gives out session ids, and never looks at them again."""

    def other(self, request):
        self.send(request, 200 if request.command == "DELETE" and "Mcp-Session-Id" in request.headers else 405)

    def send(self, request, status, frame=None, headers=None):
        hello = "protocolVersion" in (frame or {}).get("result", {})
        super().send(request, status, frame, {"Mcp-Session-Id": uuid4().hex} if hello else headers)


if __name__ == "__main__":
    Forgiving({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).serve()
