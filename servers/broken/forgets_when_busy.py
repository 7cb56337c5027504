"""Defect: while one request is worked on, another that arrives is forgotten."""

import threading

from _plain import TEXT, Plain


class Forgetful(Plain):
    """Works in a thread, on one thing at a time."""

    def __init__(self, tools):
        super().__init__(tools)
        self.busy = threading.Lock()

    def reply(self, message):
        if message["method"] != "tools/call":
            return super().reply(message)
        if self.busy.acquire(blocking=False):
            threading.Timer(0.01, self.work, [message]).start()
        return None

    def work(self, message):
        """Be free again, and answer."""
        frame = super().reply(message)
        self.busy.release()
        self.write(frame)

    def write(self, frame):
        if frame is not None:
            super().write(frame)


if __name__ == "__main__":
    Forgetful({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).run()
