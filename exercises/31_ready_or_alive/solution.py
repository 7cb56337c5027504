def answer(path, state):
    """The status of /health or /ready in this state."""
    if path == "/health":
        return 503 if state["stuck"] else 200
    if path == "/ready":
        able = state["started"] and not state["draining"] and not state["stuck"]
        missing = [name for name, check in state["checks"].items() if check["critical"] and not check["ok"]]
        return 200 if able and not missing else 503
    return 404


def in_service(probe, looks):
    """After each look of the readiness probe: does the replica get calls?"""
    serving, row, last, states = False, 0, None, []
    for look in looks:
        row = row + 1 if look == last else 1
        last = look
        if row >= probe["successThreshold" if look else "failureThreshold"]:
            serving = look
        states.append(serving)
    return states


def restarts(startup, liveness, looks):
    """The indices of the looks after which the container is started anew."""
    started, failures, found = False, 0, []
    for number, look in enumerate(looks):
        if look:
            started, failures = True, 0
            continue
        failures += 1
        if failures == (liveness if started else startup)["failureThreshold"]:
            found.append(number)
            started, failures = False, 0
    return found
