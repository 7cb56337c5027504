"""Defect: its list has pages, and a cursor that it did not give begins the list anew."""

from _plain import TEXT, Plain


class Anew(Plain):
    """Takes what it does not know for the beginning."""

    def page(self, cursor):
        return 1 if cursor == "1" else 0

    def answer(self, method, params):
        result = super().answer(method, params)
        if method == "tools/list":
            page = self.page(params.get("cursor"))
            result["tools"] = result["tools"][page : page + 1]
            if page == 0:
                result["nextCursor"] = "1"
        return result


def shout(arguments):
    """Make a text loud."""
    return arguments["text"].upper()


if __name__ == "__main__":
    Anew({"shout": (TEXT, shout), "whisper": (TEXT, lambda arguments: arguments["text"].lower())}).run()
