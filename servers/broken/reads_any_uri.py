"""Defect: it lists one resource, and reads any other file, too, when it is asked for by its URI."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from _plain import TEXT, Error, Plain

HERE = Path(__file__).resolve()


class Files(Plain):
    """This file as a resource."""

    def capabilities(self):
        return {**super().capabilities(), "resources": {}}

    def answer(self, method, params):
        if method == "resources/list":
            self.page(params.get("cursor"))
            return {"resources": [{"uri": HERE.as_uri(), "name": "source", "description": "This server."}]}
        if method == "resources/templates/list":
            self.page(params.get("cursor"))
            return {"resourceTemplates": []}
        if method == "resources/read":
            return self.read(params.get("uri"))
        return super().answer(method, params)

    def read(self, uri):
        """`resources/read`."""
        try:
            text = Path(unquote(urlsplit(uri).path)).read_text(encoding="utf-8")
        except (OSError, ValueError, AttributeError, TypeError):
            raise Error(-32602, "Resource not found", {"uri": uri}) from None
        return {"contents": [{"uri": uri, "mimeType": "text/plain", "text": text}]}


if __name__ == "__main__":
    Files({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).run()
