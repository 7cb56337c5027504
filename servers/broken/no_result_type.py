"""Defect: its modern results do not say of which type they are."""

from _plain import TEXT, Plain


class Untyped(Plain):
    """Leaves resultType out."""

    def reply(self, message):
        frame = super().reply(message)
        frame.get("result", {}).pop("resultType", None)
        return frame


if __name__ == "__main__":
    Untyped({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).run()
