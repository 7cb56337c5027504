"""Defect: server/discover does not name the version that it speaks: new clients speak to it in the old way, or not."""

from _plain import HANDSHAKE, TEXT, Plain


class Modest(Plain):
    """Has forgotten to bring the list up to date."""

    def answer(self, method, params):
        result = super().answer(method, params)
        return result | {"supportedVersions": [HANDSHAKE]} if method == "server/discover" else result


if __name__ == "__main__":
    Modest({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).run()
