"""Defect: it asks for the roots of the client with a request of its own, in the modern era too."""

from _plain import TEXT, Plain


class Asking(Plain):
    """Asks before it calls a tool."""

    def reply(self, message):
        if message["method"] == "tools/call":
            self.write({"jsonrpc": "2.0", "id": f"roots-{message['id']}", "method": "roots/list"})
        return super().reply(message)


if __name__ == "__main__":
    Asking({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).run()
