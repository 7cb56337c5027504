"""Defect: the name of a tool has spaces and a question mark. Model APIs refuse it."""

from _plain import TEXT, Plain

if __name__ == "__main__":
    Plain({"what's this?": (TEXT, lambda arguments: arguments["text"].upper())}).run()
