"""Defect: it answers ping in 2026-07-28, which has none: tools that tell eras apart by it are led astray."""

from _plain import PREFIX, TEXT, Plain


class Nostalgic(Plain):
    """Keeps what it had."""

    def reply(self, message):
        meta = message.get("params", {}).get("_meta") or {}
        if message["method"] == "ping" and f"{PREFIX}protocolVersion" in meta:
            return {"jsonrpc": "2.0", "id": message["id"], "result": {"resultType": "complete"}}
        return super().reply(message)


if __name__ == "__main__":
    Nostalgic({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).run()
