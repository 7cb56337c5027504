"""Defect: text of the caller is used as a template, and so reaches into the program."""

from _plain import TEXT, Plain


def greet(arguments):
    """A greeting."""
    try:
        return f"Dear {arguments['text']}!".format("reader")
    except (KeyError, IndexError, ValueError, AttributeError):
        return "Dear reader!"


if __name__ == "__main__":
    Plain({"greet": (TEXT, greet)}).run()
