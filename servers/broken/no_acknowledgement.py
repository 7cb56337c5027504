"""Defect: it announces that its tools may change, and answers subscriptions/listen at once, unacknowledged."""

from _plain import PREFIX, TEXT, Plain


class Deaf(Plain):
    """Takes the subscription for an ordinary request."""

    def capabilities(self):
        return {"tools": {"listChanged": True}}

    def reply(self, message):
        frame = super().reply(message)
        if message["method"] == "subscriptions/listen":
            frame["result"]["_meta"][f"{PREFIX}subscriptionId"] = message["id"]
        return frame

    def answer(self, method, params):
        return {} if method == "subscriptions/listen" else super().answer(method, params)


if __name__ == "__main__":
    Deaf({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).run()
