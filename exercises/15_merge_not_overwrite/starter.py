import json
import re


class Refused(Exception):
    """The text cannot be changed without losing something; the message says why."""


def add(text, key, name, entry, replace=False):
    """The text with the server added, and the variables that have to be set for it."""
    try:
        whole = json.loads(text)
    except ValueError:
        whole = {}
    whole[key] = {name: entry}
    return json.dumps(whole, indent=2), []


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
