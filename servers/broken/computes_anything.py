"""Defect: a calculator looks at the characters of an expression, and not at how large its numbers become."""

from _plain import TEXT, Plain

ALLOWED = set("0123456789.+-*/%() ")


def calculate(arguments):
    """The value of an expression."""
    try:
        if set(arguments["text"]) - ALLOWED:
            raise ValueError("letters")
        return eval(arguments["text"], {"__builtins__": {}})
    except Exception:
        return {"content": [{"type": "text", "text": "That is no expression"}], "isError": True}


if __name__ == "__main__":
    Plain({"calculate": (TEXT, calculate)}).run()
