"""Defect: what it has to remember between two rounds it gives to the client in base64, and believes what comes back."""

import base64
import json

from _plain import PREFIX, TEXT, Error, Plain

FORM = {"type": "object", "properties": {"sure": {"type": "boolean"}}}


class Asking(Plain):
    """Asks before it sends, in 2026-07-28."""

    def call(self, params):
        modern = f"{PREFIX}protocolVersion" in (params.get("_meta") or {})
        if not modern or params.get("name") != "send" or self.refusal(TEXT, params.get("arguments") or {}):
            return super().call(params)
        if "requestState" not in params:
            state = json.dumps({"text": params["arguments"]["text"], "price": 1}).encode()
            ask = {"method": "elicitation/create", "params": {"message": "Send it?", "requestedSchema": FORM}}
            return {
                "resultType": "input_required",
                "inputRequests": {"sure": ask},
                "requestState": base64.urlsafe_b64encode(state).decode(),
            }
        try:
            state = json.loads(base64.urlsafe_b64decode(params["requestState"] + "=="))
            said = f"sent {state['text']} for {state['price']}"
        except (ValueError, KeyError, TypeError):
            raise Error(-32602, "That is no state of ours") from None
        return {"content": [{"type": "text", "text": said}]}


if __name__ == "__main__":
    Asking({"send": (TEXT, lambda arguments: "sent")}).run()
