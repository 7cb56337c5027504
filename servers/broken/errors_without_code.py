"""Defect: the error for a tool that is not there is a text, without code and message."""

from _plain import TEXT, Plain


class Terse(Plain):
    """Says what is wrong, where a tool is not there, in its own way."""

    def reply(self, message):
        frame = super().reply(message)
        if frame.get("error", {}).get("message", "").startswith("Unknown tool"):
            frame["error"] = frame["error"]["message"]
        return frame


if __name__ == "__main__":
    Terse({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).run()
