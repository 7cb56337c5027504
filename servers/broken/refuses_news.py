"""Defect: a member of params that it does not know is refused: clients of a later revision cannot list its tools."""

from _plain import TEXT, Error, Plain

KNOWN = {"_meta", "cursor"}


class Strict(Plain):
    """Knows what it knows."""

    def answer(self, method, params):
        if method == "tools/list" and (more := sorted(set(params) - KNOWN)):
            raise Error(-32602, f"Unknown parameter: {more[0]}")
        return super().answer(method, params)


if __name__ == "__main__":
    Strict({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).run()
