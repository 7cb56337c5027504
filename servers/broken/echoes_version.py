"""Defect: it agrees to whatever protocol version a client proposes, and takes requests of any revision."""

from _plain import MODERN, PREFIX, TEXT, Plain


class Agreeable(Plain):
    """Says yes to all versions."""

    def check_version(self, method, params, modern):
        if modern:
            params["_meta"][f"{PREFIX}protocolVersion"] = MODERN
        super().check_version(method, params, modern)

    def version(self, asked):
        return asked


if __name__ == "__main__":
    Agreeable({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).run()
