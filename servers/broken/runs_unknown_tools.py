"""Defect: a tool that is not there gets a friendly text, as a success: the model believes it."""

from _plain import TEXT, Plain


class Obliging(Plain):
    """Never says no."""

    def call(self, params):
        if params.get("name") not in (None, *self.tools):
            return {"content": [{"type": "text", "text": f"Sorry, there is no tool {params['name']}."}]}
        return super().call(params)


if __name__ == "__main__":
    Obliging({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).run()
