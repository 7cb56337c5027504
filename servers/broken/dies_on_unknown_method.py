"""Defect: a method that it does not know ends it: its table of handlers is asked without a default."""

from _plain import TEXT, Error, Plain


class Brittle(Plain):
    """Lets the KeyError fly."""

    def answer(self, method, params):
        try:
            return super().answer(method, params)
        except Error as error:
            if error.code == -32601:
                raise KeyError(method) from None
            raise


if __name__ == "__main__":
    Brittle({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).run()
