"""Defect: the content of its results is a text, where the schema wants a list of content blocks."""

from _plain import TEXT, Plain

if __name__ == "__main__":
    Plain({"shout": (TEXT, lambda arguments: {"content": arguments["text"].upper()})}).run()
