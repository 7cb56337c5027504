"""Defect: a calculator that calls eval, with the builtins taken away, which does not help."""

from _plain import TEXT, Plain


def calculate(arguments):
    """The value of an expression."""
    try:
        return eval(arguments["text"], {"__builtins__": {}})
    except Exception:
        return {"content": [{"type": "text", "text": "That is no expression"}], "isError": True}


if __name__ == "__main__":
    Plain({"calculate": (TEXT, calculate)}).run()
