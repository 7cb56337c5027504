"""Defect: its modern lists do not say how long, and for whom, they may be kept."""

from _plain import TEXT, Plain


class Hintless(Plain):
    """Leaves ttlMs and cacheScope out."""

    def reply(self, message):
        frame = super().reply(message)
        for hint in ("ttlMs", "cacheScope"):
            frame.get("result", {}).pop(hint, None)
        return frame


if __name__ == "__main__":
    Hintless({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).run()
