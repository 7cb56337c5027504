"""Defect: it sends log messages to everyone, also to modern clients that asked for none."""

from _plain import TEXT, Plain


class Chatting(Plain):
    """Tells of each call."""

    def reply(self, message):
        if message["method"] == "tools/call":
            params = {"level": "info", "data": "a tool is called"}
            self.write({"jsonrpc": "2.0", "method": "notifications/message", "params": params})
        return super().reply(message)


if __name__ == "__main__":
    Chatting({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).run()
