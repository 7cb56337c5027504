"""Defect: two tools have the same name. Which of them is called, only the server knows."""

from _plain import TEXT, Plain


class Twice(Plain):
    """Lists its tool a second time, with another meaning."""

    def listing(self):
        tools = super().listing()
        return [*tools, tools[0] | {"description": "Makes a text quiet."}]


if __name__ == "__main__":
    Twice({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).run()
