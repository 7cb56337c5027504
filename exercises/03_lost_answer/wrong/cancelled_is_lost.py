"""fails: cancelled
why: The request has no answer, so it is reported; that somebody called it off stands two lines below.
"""


def lost(tape):
    return [frame["id"] for frame in unanswered(tape, "sent", "received")]


def owed(tape):
    return [frame["method"] for frame in unanswered(tape, "received", "sent")]


def slowest(tape):
    asked, took = {}, []
    for entry in tape:
        frame = entry["frame"]
        if is_request(frame) and entry["direction"] == "sent":
            asked[frame["id"]] = entry
        elif is_answer(frame) and entry["direction"] == "received" and frame["id"] in asked:
            request = asked[frame["id"]]
            took.append((entry["at"] - request["at"], request["frame"]["method"]))
    return max(took)[1] if took else None


def unanswered(tape, asker, answerer):
    """Requests that went in one direction and found no answer in the other."""
    waiting = {}
    for entry in tape:
        frame, direction = entry["frame"], entry["direction"]
        if direction == asker and is_request(frame):
            waiting[frame["id"]] = frame
        elif direction == answerer and is_answer(frame):
            waiting.pop(frame["id"], None)
    return list(waiting.values())


def is_request(frame):
    return "method" in frame and "id" in frame


def is_answer(frame):
    return "method" not in frame
