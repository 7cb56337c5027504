"""Defect: a tool that says to be idempotent adds something at every call. Clients repeat it when an answer is lost."""

from _plain import NOTHING, Error, Plain


class Counter(Plain):
    """A number as a resource."""

    visits = 0

    def capabilities(self):
        return super().capabilities() | {"resources": {"listChanged": False}}

    def listing(self):
        return [tool | {"annotations": {"idempotentHint": True}} for tool in super().listing()]

    def answer(self, method, params):
        if method == "resources/list":
            self.page(params.get("cursor"))
            return {"resources": [{"uri": "count://visits", "name": "visits"}]}
        if method == "resources/templates/list":
            self.page(params.get("cursor"))
            return {"resourceTemplates": []}
        if method == "resources/read":
            if params.get("uri") != "count://visits":
                raise Error(-32602, f"Unknown resource: {params.get('uri')}")
            return {"contents": [{"uri": "count://visits", "text": str(self.visits)}]}
        return super().answer(method, params)

    def visit(self, arguments):
        """One more."""
        self.visits += 1
        return "welcome"


if __name__ == "__main__":
    counter = Counter({})
    counter.tools = {"visit": (NOTHING, counter.visit)}
    counter.run()
