"""Defect: clients of the older era are not offered one of the tools."""

from _plain import MODERN, PREFIX, TEXT, Plain


class TwoFaced(Plain):
    """Looks at the revision before it lists."""

    def answer(self, method, params):
        result = super().answer(method, params)
        modern = params.get("_meta", {}).get(f"{PREFIX}protocolVersion") == MODERN
        return result if method != "tools/list" or modern else {"tools": result["tools"][:1]}


if __name__ == "__main__":
    TwoFaced(
        {
            "shout": (TEXT, lambda arguments: arguments["text"].upper()),
            "whisper": (TEXT, lambda arguments: arguments["text"].lower()),
        }
    ).run()
