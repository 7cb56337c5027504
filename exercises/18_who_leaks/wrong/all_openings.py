"""fails: peak
why: It counts what was opened and never looks at what was closed in between.
"""

from collections import Counter


def still_open(journal):
    return list(replay(journal)[0])


def peak(journal):
    return sum(entry["event"] == "open" for entry in journal)


def idle(journal, seconds):
    return [pid for pid, seen in replay(journal)[0].items() if journal[-1]["at"] - seen["at"] >= seconds]


def leaks(journal, seconds):
    opened = replay(journal)[0]
    counts = Counter(opened[pid]["by"] for pid in idle(journal, seconds))
    return {by: count for by, count in counts.items() if count > 1}


def replay(journal):
    """What is open at the end - by whom, and when it was seen last - and the most that were open at once."""
    opened, most = {}, 0
    for entry in journal:
        if entry["event"] == "open":
            opened[entry["pid"]] = {"by": entry["by"], "at": entry["at"]}
        elif entry["event"] == "frame":
            opened[entry["pid"]]["at"] = entry["at"]
        else:
            del opened[entry["pid"]]
        most = max(most, len(opened))
    return opened, most
