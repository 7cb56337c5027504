"""Defect: lists the same tools in another order at every request."""

from _plain import TEXT, Plain


class Shuffler(Plain):
    """Turns its list round."""

    turned = False

    def listing(self):
        tools = super().listing()
        self.turned = not self.turned
        return tools[::-1] if self.turned else tools


if __name__ == "__main__":
    Shuffler(
        {
            "shout": (TEXT, lambda arguments: arguments["text"].upper()),
            "whisper": (TEXT, lambda arguments: arguments["text"].lower()),
        }
    ).run()
