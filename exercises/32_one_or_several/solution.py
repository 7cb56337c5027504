def must_part(one, other):
    reasons = []
    shorter, longer = sorted([one["computes_ms"], other["computes_ms"]])
    if longer >= 50 and shorter <= longer / 5:
        reasons.append("computes")
    if one["gpu"] != other["gpu"]:
        reasons.append("gpu")
    if one["zone"] != other["zone"]:
        reasons.append("zone")
    return reasons


def needs(company):
    families, teams = company["families"], company["teams"]
    found = {}
    if len(families) < 2:
        return found
    for one in families:
        for other in families:
            found |= dict.fromkeys(must_part(one, other), 1)
    *others, most = sorted(family["peak"] for family in families)
    if most >= 10 * sum(others) / len(others):
        found["skew"] = 1
    if teams >= 4 and len(families) >= 4:
        found["teams"] = 2
    elif teams >= 2:
        found["teams"] = 1
    return found


def decide(company):
    families = company["families"]
    if company["where"] == "desktop":
        return ["local", ["local"]]
    if company["separate_tenants"]:
        return ["per_tenant", ["contract"]]
    gpu = any(family["gpu"] for family in families)
    patient = all(family["promise_ms"] >= 5000 for family in families)
    talks = any(family["state"] == "session" for family in families)
    if company["idle_hours"] >= 16 and patient and not gpu and not talks:
        return ["serverless", ["idle"]]

    tools, count = sum(family["tools"] for family in families), len(families)
    by_tools = 0 if tools < 5 else 1 if tools <= 15 else 2
    by_families = 0 if count == 1 else 1 if count <= 3 else 2
    size = min(by_tools, by_families)
    people = 0 if company["people"] <= 3 else 1 if company["teams"] == 1 else 2
    found = needs(company)
    need = max(found.values(), default=0)
    step = max(need, min(size, people))

    if gpu and count > 1 and step < 2:
        return ["specialised", ["gpu"]]
    if need > min(size, people):
        reasons = sorted(reason for reason, wanted in found.items() if wanted == need)
    elif people < size:
        reasons = ["people"]
    else:
        reasons = ["size"]
    return [["monolith", "hybrid", "microservices"][step], reasons]


def faults(company, servers):
    families = {family["name"]: family for family in company["families"]}
    found = []
    for server in servers:
        names, many = sorted(server["families"]), server["replicas"] > 1
        found += [["part", a, b] for a in names for b in names if a < b and must_part(families[a], families[b])]
        busy = sum(families[name]["peak"] * families[name]["computes_ms"] for name in names) / 1000
        for name in names:
            state = families[name]["state"]
            if server["state"] == "memory" and state != "none" and many:
                found.append(["apart", name])
            if server["state"] == "memory" and state == "durable":
                found.append(["lost", name])
            if company["handshake"] and server["sessions"] == "memory" and many:
                found.append(["sessions", name])
            if busy >= server["replicas"]:
                found.append(["full", name])
    if company["people"] <= 3 and len(servers) > 2:
        found.append(["people"])
    return sorted(found)
