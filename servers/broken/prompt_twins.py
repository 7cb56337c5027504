"""Defect: a prompt has two arguments of the same name. A form can show them, and send one."""

from _plain import TEXT, Error, Plain

REVIEW = {
    "name": "review",
    "description": "Ask for a review.",
    "arguments": [
        {"name": "code", "description": "The old code.", "required": True},
        {"name": "code", "description": "The new code.", "required": True},
    ],
}


class Asking(Plain):
    """Has a prompt."""

    def capabilities(self):
        return super().capabilities() | {"prompts": {"listChanged": False}}

    def answer(self, method, params):
        if method == "prompts/list":
            self.page(params.get("cursor"))
            return {"prompts": [REVIEW]}
        if method == "prompts/get":
            if params.get("name") != "review":
                raise Error(-32602, f"Unknown prompt: {params.get('name')}")
            return {"messages": [{"role": "user", "content": {"type": "text", "text": "Review this."}}]}
        return super().answer(method, params)


if __name__ == "__main__":
    Asking({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).run()
