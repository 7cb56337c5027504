def hello(version, name):
    return {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": version,
            "capabilities": {},
            "clientInfo": {"name": name, "version": "1.0"},
        },
    }


def choose(proposed, supported):
    return proposed if proposed in supported else max(supported)


def follow_up(answer, acceptable):
    result = answer.get("result", {})
    if result.get("protocolVersion") not in acceptable:
        return None
    return {"jsonrpc": "2.0", "method": "notifications/initialized"}


def allowed(method, done):
    if method == "ping":
        return True
    return (method == "initialize") != done
