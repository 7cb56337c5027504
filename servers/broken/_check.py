"""Do arguments fit their schema? As much of JSON Schema as the servers in this folder use."""

KINDS = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
    "null": type(None),
}
LIMITS = {
    "minimum": lambda value, limit: value >= limit,
    "maximum": lambda value, limit: value <= limit,
    "minLength": lambda value, limit: len(value) >= limit,
    "maxLength": lambda value, limit: len(value) <= limit,
    "minItems": lambda value, limit: len(value) >= limit,
    "maxItems": lambda value, limit: len(value) <= limit,
}


def problem(schema, value, name="arguments"):
    """What does not fit, in a sentence; None when all does."""
    if not isinstance(schema, dict):
        return None
    kind = schema.get("type")
    if kind in KINDS and not fits(kind, value):
        return f"{name} must be of type {kind}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{name} must be one of {schema['enum']}"
    for word, holds in LIMITS.items():
        if word in schema and not holds(value, schema[word]):
            return f"{name} is beyond its {word}, {schema[word]}"
    if kind == "array":
        found = (problem(schema.get("items"), each, f"{name}[{i}]") for i, each in enumerate(value))
        return next((said for said in found if said), None)
    if kind == "object":
        return members(schema, value)
    return None


def fits(kind, value):
    """Whether a value is of a JSON type."""
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, KINDS[kind])


def members(schema, value):
    """The same for the members of an object."""
    properties = schema.get("properties", {})
    for name in schema.get("required", []):
        if name not in value:
            return f"missing argument: {name}"
    for name, each in value.items():
        if name in properties:
            said = problem(properties[name], each, name)
            if said:
                return said
        elif schema.get("additionalProperties") is False:
            return f"unexpected argument: {name}"
    return None
