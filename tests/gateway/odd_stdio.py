"""A stdio server in lines of text, in one era, that does what no server should. It starts in 20 ms.

Run it as `python -I -S -E odd_stdio.py ERA`. Tools are named for what happens; `finish` ends what was held back.
"""

import json
import os
import sys

ERA = sys.argv[1]
MODERN = ERA.startswith("2026")
INFO = {"name": "odd", "version": "1"}
PREFIX = "io.modelcontextprotocol/"
held = []
requests = []


def say(message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


def result(id, text="fine"):
    say({"id": id, "result": {"content": [{"type": "text", "text": text}]}})


def call(id, name, params):
    if name == "wrong_id":
        result(id + 1000)
        result(id, "right")
    elif name == "wrong_id_only":
        result(id + 1000)
    elif name == "twice":
        result(id, "first")
        result(id, "second")
    elif name == "garbage":
        print("this is not JSON", flush=True)
        print('["neither", 1]', flush=True)
        result(id, "after garbage")
    elif name == "odd_ids":
        say({"id": [1], "method": "elicitation/create", "params": {}})
        say({"id": {"a": 1}, "result": {}})
        say({"id": 1.5, "result": {}})
        say({"id": True, "error": {"code": 1, "message": "?"}})
        say({"method": "notifications/cancelled", "params": {"requestId": [1]}})
        say({"method": "notifications/cancelled", "params": 5})
        say({"method": "notifications/progress", "params": {"progressToken": {}}})
        say({"method": 5, "id": 1})
        say({"id": 10**30, "result": {}})
        result(id)
    elif name == "neither":
        say({"id": id})
    elif name == "text_result":
        say({"id": id, "result": "text"})
    elif name == "text_id":
        result(str(id), "by text")
    elif name == "error":
        say({"id": id, "error": {"code": -32042, "message": "no", "data": {"why": "because"}}})
    elif name == "hold":
        held.append(id)
    elif name == "release":
        for other in held:
            result(other, f"late {other}")
        held.clear()
        result(id)
    elif name == "release_batch":
        batch = [{"jsonrpc": "2.0", "id": other, "result": {"content": []}} for other in held]
        print(json.dumps(batch), flush=True)
        held.clear()
        result(id)
    elif name == "die":
        print("last words", file=sys.stderr, flush=True)
        os._exit(3)
    elif name == "long":
        result(id, "x" * 3_000_000)
    elif name == "deaf":
        os.close(0)
        os.open(os.devnull, os.O_RDONLY)
        held.append(id)
        import time

        time.sleep(60)
    elif name == "sleep":
        import time

        time.sleep(60)
    elif name == "ask":
        held.append(id)
        requests.append("ask-" + str(id))
        say({"id": requests[-1], "method": "elicitation/create", "params": {"message": params["arguments"]["label"]}})
    elif name == "ask_and_cancel":
        say({"id": "gone", "method": "elicitation/create", "params": {"message": "never mind"}})
        held.append(id)
    elif name == "cancel_ask":
        say({"method": "notifications/cancelled", "params": {"requestId": "gone"}})
        result(id)
    elif name == "log":
        say({"method": "notifications/message", "params": {"level": "info", "data": "secret"}})
        result(id)
    elif name == "ping":
        held.append(id)
        say({"id": "ping-1", "method": "ping"})
    elif name in ("flood", "flood_and_hold"):
        for step in range(5000):
            say({"method": "notifications/progress", "params": {"progressToken": id, "progress": step}})
        if name == "flood":
            result(id)
    else:
        result(id, json.dumps(params))


def main():
    for line in sys.stdin:
        message = json.loads(line)
        id, method, params = message.get("id"), message.get("method"), message.get("params") or {}
        if method is None:  # an answer to what was asked here
            if id == "gone":
                say({"method": "notifications/message", "params": {"level": "error", "data": message}})
            else:
                result(held.pop(), json.dumps(message))
        elif method == "notifications/cancelled":
            say({"method": "notifications/message", "params": {"level": "info", "data": {"cancelled": params}}})
        elif id is None:
            continue
        elif method == "initialize" and not MODERN:
            capabilities = {"tools": {"listChanged": True}}
            say({"id": id, "result": {"protocolVersion": ERA, "capabilities": capabilities, "serverInfo": INFO}})
        elif method == "server/discover" and MODERN:
            say(
                {
                    "id": id,
                    "result": {
                        "supportedVersions": [ERA],
                        "capabilities": {"tools": {}},
                        "_meta": {PREFIX + "serverInfo": INFO},
                    },
                }
            )
        elif method == "tools/call":
            call(id, params["name"], params)
        else:
            say({"id": id, "error": {"code": -32601, "message": "Method not found"}})


if __name__ == "__main__":
    main()
