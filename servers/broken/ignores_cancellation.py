"""Defect: a cancelled call goes on to its end, and its result is sent."""

import threading
import time

from _plain import Plain

SECONDS = {
    "type": "object",
    "properties": {"seconds": {"type": "number", "description": "How long.", "minimum": 0, "maximum": 5}},
    "required": ["seconds"],
    "additionalProperties": False,
}


class Stubborn(Plain):
    """Calls tools in threads, so that it goes on reading; and reads on past notifications/cancelled."""

    lock = threading.Lock()

    def take(self, message):
        if isinstance(message, dict) and message.get("method") == "tools/call" and "id" in message:
            threading.Thread(target=super().take, args=(message,), daemon=True).start()
        else:
            super().take(message)

    def write(self, frame):
        with self.lock:
            super().write(frame)


def nap(arguments):
    """Sleep."""
    time.sleep(arguments["seconds"])
    return "rested"


if __name__ == "__main__":
    Stubborn({"nap": (SECONDS, nap)}).run()
