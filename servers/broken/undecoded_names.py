"""Defect: a tool's name that comes in base64 in its header, as the specification has it, is not decoded."""

from _plain import TEXT, Error
from _plain_http import PlainHttp


class Literal(PlainHttp):
    """Compares letter by letter."""

    def agrees(self, headers, message):
        if headers.get("Mcp-Name", "").startswith("=?base64?"):
            raise Error(-32020, "Mcp-Name does not match the body")
        super().agrees(headers, message)


if __name__ == "__main__":
    Literal({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).serve()
