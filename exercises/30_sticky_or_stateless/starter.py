def route(events, replicas):
    found = []
    for event in events:
        if "request" in event:
            found.append(len(found) % replicas)
    return found
