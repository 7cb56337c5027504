"""Defect: the address of a resource is relative, and nobody knows to what."""

from _plain import TEXT, Error, Plain


class Shelf(Plain):
    """Has something to read."""

    def capabilities(self):
        return super().capabilities() | {"resources": {"listChanged": False}}

    def answer(self, method, params):
        if method == "resources/list":
            self.page(params.get("cursor"))
            return {"resources": [{"uri": "lists/shopping", "name": "shopping"}]}
        if method == "resources/templates/list":
            self.page(params.get("cursor"))
            return {"resourceTemplates": []}
        if method == "resources/read":
            if params.get("uri") != "lists/shopping":
                raise Error(-32602, f"Unknown resource: {params.get('uri')}")
            return {"contents": [{"uri": params["uri"], "text": "Milk, bread"}]}
        return super().answer(method, params)


if __name__ == "__main__":
    Shelf({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).run()
