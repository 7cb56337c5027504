"""Defect: its answers always have both members: a result with "error": null, as JSON-RPC 1.0 had it."""

from _plain import TEXT, Plain


class Old(Plain):
    """Has learned JSON-RPC 1.0."""

    def reply(self, message):
        frame = super().reply(message)
        return frame if "error" in frame else frame | {"error": None}


if __name__ == "__main__":
    Old({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).run()
