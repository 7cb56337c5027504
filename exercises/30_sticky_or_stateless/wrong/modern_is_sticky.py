"""fails: stateless, case
why: A session id is a session id. That the stateless era ignores the header is not looked at.
"""

SESSION = "mcp-session-id"
STATELESS = "2026-07-28"


def route(events, replicas):
    up = [True] * replicas
    homes = {}
    requests = []
    turn = 0
    starts = [0] * replicas
    for event in events:
        if "down" in event:
            gone = event["down"]
            up[gone] = False
            starts[gone] += 1
            homes = {session: home for session, home in homes.items() if home != gone}
        elif "up" in event:
            up[event["up"]] = True
        elif "answer" in event:
            method, session, replica, start = requests[event["answer"]]
            if method == "DELETE" and session and event["status"] < 300:
                homes.pop(session, None)
            born = lowered(event["headers"]).get(SESSION)
            if born and session is None and event["status"] == 200 and starts[replica] == start:
                homes[born] = replica
        else:
            headers = lowered(event["headers"])
            session = headers.get(SESSION)
            if session is not None:
                replica = homes.get(session)
            else:
                replica = next((n % replicas for n in range(turn, turn + replicas) if up[n % replicas]), None)
                if replica is not None:
                    turn = replica + 1
            requests.append((event["request"], session, replica, None if replica is None else starts[replica]))
    return [replica for _, _, replica, _ in requests]


def lowered(headers):
    return {name.lower(): value for name, value in headers.items()}
