"""fails: given_up, waited, who
why: The client gave the call up, so nobody waits for it any more, and it drops off the list of the hung.
"""


def hung(tape):
    answered = answers(tape)
    for entry in tape:
        if entry["frame"].get("method") == "notifications/cancelled":
            answered.setdefault(entry["frame"]["params"]["requestId"], entry)
    return [id for id, entry in requests(tape).items() if is_call(entry) and id not in answered]


def waited(tape):
    sent, given_up = requests(tape), {}
    for entry in tape:
        if entry["frame"].get("method") == "notifications/cancelled":
            given_up[entry["frame"]["params"]["requestId"]] = entry["at"]
    return {id: given_up.get(id, tape[-1]["at"]) - sent[id]["at"] for id in hung(tape)}


def suspect(tape):
    sent, answered, lost = requests(tape), answers(tape), hung(tape)
    if not lost:
        return None
    first = lost[0]
    began = sent[first]["at"]
    same = [id for id, entry in sent.items() if is_call(entry) and tool(entry) == tool(sent[first])]
    before = [(answered[id]["at"], id) for id in same if id in answered and answered[id]["at"] < began]
    return max(before, key=lambda pair: pair[0])[1] if before else None


def who(tape):
    sent, answered, lost = requests(tape), answers(tape), hung(tape)
    if not lost:
        return "nobody"
    first = lost[0]
    later = [id for id, entry in sent.items() if entry["at"] > sent[first]["at"]]
    if not later:
        return "unknown"
    return "tool" if any(id in answered for id in later) else "server"


def requests(tape):
    """The requests by id, in the order they were sent."""
    return {e["frame"]["id"]: e for e in tape if e["direction"] == "sent" and "id" in e["frame"]}


def answers(tape):
    """The answers by id, errors among them."""
    return {e["frame"]["id"]: e for e in tape if e["direction"] == "received" and "id" in e["frame"]}


def is_call(entry):
    return entry["frame"]["method"] == "tools/call"


def tool(entry):
    return entry["frame"]["params"]["name"]
