"""Defect: every error has the code -32603, internal error: also that a method is not there."""

from _plain import TEXT, Error, Plain


class Vague(Plain):
    """Knows one code for what it does not know."""

    def answer(self, method, params):
        try:
            return super().answer(method, params)
        except Error as error:
            if error.code != -32601:
                raise
            raise Error(-32603, f"Something went wrong: {error}") from None


if __name__ == "__main__":
    Vague({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).run()
