"""Defect: the last page of its tools names itself as the next: a client that follows the cursors never arrives."""

from _plain import TEXT, Plain


class Endless(Plain):
    """Every page leads on."""

    def page(self, cursor):
        return 1 if cursor == "1" else super().page(cursor)

    def answer(self, method, params):
        result = super().answer(method, params)
        if method == "tools/list":
            result["tools"] = [] if params.get("cursor") else result["tools"]
            result["nextCursor"] = "1"
        return result


if __name__ == "__main__":
    Endless({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).run()
