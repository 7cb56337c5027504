"""Defect: it wants a token, and does not look at it."""

from _plain import TEXT
from _plain_http import PlainHttp


class Trusting(PlainHttp):
    """Any bearer will do."""

    def turned_away(self, headers, port):
        return super().turned_away(headers, port) or (None if "Authorization" in headers else 401)

    def send(self, request, status, frame=None, headers=None):
        challenge = {
            "WWW-Authenticate": 'Bearer resource_metadata="http://127.0.0.1/.well-known/oauth-protected-resource"'
        }
        super().send(request, status, frame, challenge if status == 401 else headers)


if __name__ == "__main__":
    Trusting({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).serve()
