"""fails: secrets
why: Variables are written in capitals, so the words for secrets are looked for in capitals.
"""

import json
import re

SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSWORD")


class Refused(Exception):
    """The text cannot be changed without losing something; the message says why."""


def add(text, key, name, entry, replace=False):
    """The text with the server added, and the variables that have to be set for it."""
    entry, variables = without_secrets(entry)
    if not text.strip("\ufeff \t\r\n"):
        text += "{}\n"
    whole = load(text)
    if not isinstance(whole, dict) or not isinstance(whole.get(key, {}), dict):
        raise Refused(f"the file, and {key!r} in it, have to be objects")
    root = skip(text, 0)
    if key not in whole:
        return insert(text, root, key, {name: entry}, 1), variables
    servers = members(text, root)[0][key][0]
    if name not in whole[key]:
        return insert(text, servers, name, entry, 2), variables
    if not replace:
        raise Refused(f"there is a server {name!r} already")
    begin, end = members(text, servers)[0][name]
    return text[:begin] + written(text, entry, 2) + text[end:], variables


def without_secrets(entry):
    """The entry with references in the place of secrets, and their names."""
    env = entry.get("env", {})
    found = [name for name, value in env.items() if SECRET.search(name) and not value.startswith("${")]
    return ({**entry, "env": {**env, **{name: f"${{env:{name}}}" for name in found}}} if found else entry), found


def load(text):
    """What the text says."""
    try:
        return json.loads(text.removeprefix("\ufeff"), object_pairs_hook=once)
    except json.JSONDecodeError as error:
        raise Refused(f"line {error.lineno} is no JSON: {error.msg}") from error


def once(pairs):
    names = [name for name, _ in pairs]
    if twice := [name for name in names if names.count(name) > 1]:
        raise Refused(f"{twice[0]!r} stands twice in one object")
    return dict(pairs)


def insert(text, at, key, value, depth):
    """The text with a new last member of the object at this place."""
    found, close = members(text, at)
    line = newline(text) + indent(text) * depth
    member = f"{line}{json.dumps(key, ensure_ascii=False)}: {written(text, value, depth)}"
    if found:
        end = max(end for _, end in found.values())
        return f"{text[:end]},{member}{text[end:]}"
    return f"{text[: at + 1]}{member}{newline(text)}{indent(text) * (depth - 1)}{text[close:]}"


def written(text, value, depth):
    """A value as this text would write it, so deep."""
    plain = json.dumps(value, indent=indent(text), ensure_ascii=False)
    return plain.replace("\n", newline(text) + indent(text) * depth)


def newline(text):
    return "\r\n" if "\r\n" in text else "\n"


def indent(text):
    found = re.search(r"\n([ \t]+)\S", text)
    return found[1] if found else "  "


# Where things stand in a JSON text that is known to be good. Leave it as it is.
def skip(text, at):
    """The next place that is no white space."""
    return re.compile(r"[\ufeff \t\r\n]*").match(text, at).end()


def members(text, at):
    """Of the object at this place: {key: (begin, end) of its value}, and the place of its closing brace."""
    found, read, at = {}, json.JSONDecoder().raw_decode, skip(text, at + 1)
    while text[at] != "}":
        key, at = read(text, at)
        begin = skip(text, skip(text, at) + 1)
        end = read(text, begin)[1]
        found[key], at = (begin, end), skip(text, end)
        at = skip(text, at + 1) if text[at] == "," else at
    return found, at


def rehearse(*given):
    try:
        text, variables = add(*given)
    except Refused as error:
        return {"refused": str(error)}
    return {"text": text, "variables": variables}
