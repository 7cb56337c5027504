"""fails: bounds
why: Bounds are compared where both have them, and one that is new goes unseen.
"""

TYPES = {"null", "boolean", "integer", "number", "string", "array", "object"}


def breaks(known, offered):
    """Where callers who know the tools `known` would fail with the tools `offered`: a sorted list of [tool, place]."""
    others = {tool["name"]: tool for tool in offered}
    found = []
    for tool in known:
        name = tool["name"]
        if name not in others:
            found.append([name, ""])
            continue
        found += [[name, f"input.{each}"] for each in arguments(tool["inputSchema"], others[name]["inputSchema"])]
        promised, given = tool.get("outputSchema", {}), others[name].get("outputSchema", {})
        found += [[name, f"output.{each}"] for each in results(promised, given)]
    return sorted(found)


def arguments(known, offered):
    """The arguments that callers would send wrongly."""
    ours, theirs = known.get("properties", {}), offered.get("properties", {})
    bad = {name for name, schema in ours.items() if name not in theirs or not fits(schema, theirs[name])}
    return bad | (set(offered.get("required", [])) - set(known.get("required", [])))


def results(known, offered):
    """The members of a result that callers would read wrongly."""
    ours, theirs = known.get("properties", {}), offered.get("properties", {})
    bad = {name for name, schema in theirs.items() if name in ours and not fits(schema, ours[name])}
    return bad | (set(known.get("required", [])) - set(offered.get("required", [])))


def fits(narrow, wide):
    """Whether each value that fits `narrow` fits `wide`."""
    if types(narrow) - types(wide):
        return False
    low = "minimum" not in wide or narrow.get("minimum", wide["minimum"]) >= wide["minimum"]
    high = "maximum" not in wide or narrow.get("maximum", wide["maximum"]) <= wide["maximum"]
    return low and high


def types(schema):
    """The types of the values that fit, however that is written."""
    branches = schema.get("anyOf", [schema])
    found = set()
    for branch in branches:
        given = branch.get("type", sorted(TYPES))
        found |= {given} if isinstance(given, str) else set(given)
    return found | {"integer"} if "number" in found else found
