"""fails: reference, secret
why: Only what was changed is told. That a host cannot refer to a secret is what somebody has to know.
"""

import re
import shlex

KEYS = ("mcpServers", "servers", "context_servers")
SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSWORD")
REFERENCE = re.compile(r"\$\{(?:env:)?([A-Z][A-Z0-9_]*)\}")


def mend(host, whole, machine):
    """The file as the host can use it, and what was wrong: [server, kind], "" for the file."""
    told = []
    others = [key for key in KEYS if key in whole and key != host["key"]]
    if host["key"] not in whole and others:
        told.append(["", "key"])
        whole = {host["key"] if name == others[0] else name: value for name, value in whole.items()}
    servers = {}
    for name, entry in whole.get(host["key"], {}).items():
        servers[name], kinds = mend_entry(host, entry, machine)
        told += [[name, kind] for kind in kinds]
    return {"whole": {**whole, host["key"]: servers}, "told": told}


def mend_entry(host, entry, machine):
    """One server as the host can use it, and the kinds of what was wrong."""
    entry, kinds = dict(entry), []
    if isinstance(entry.get("args"), str):
        kinds.append("args")
        entry["args"] = shlex.split(entry["args"])
    if "command" in entry and entry["command"] not in machine["programs"]:
        first, *rest = shlex.split(entry["command"])
        if first in machine["programs"]:
            kinds.append("line")
            entry |= {"command": first, "args": [*rest, *entry.get("args", [])]}
        else:
            kinds.append("command")
    if "args" in entry:
        found = [absolute(each, machine) for each in entry["args"]]
        if found != entry["args"]:
            kinds.append("relative")
            entry["args"] = found
    if host["typed"] and "type" not in entry:
        kinds.append("type")
        entry["type"] = "http" if "url" in entry else "stdio"
    for table in ("env", "headers"):
        for name, value in entry.get(table, {}).items():
            kind, mended = of_value(host, name, value, table)
            if mended != value:
                kinds.append(kind)
                entry[table] = {**entry[table], name: mended}
    return entry, kinds


def absolute(word, machine):
    """A file of the folder by its whole path; anything else as it is."""
    whole = f"{machine['folder']}/{word}"
    return whole if whole in machine["files"] else word


def of_value(host, name, value, table):
    """What is wrong with a value, and the value that it has to be."""
    if REFERENCE.search(value):
        wanted = REFERENCE.sub(lambda found: refer(host, found[1], found[0]), value)
        return "" if wanted == value and host["reference"] else "reference", wanted
    if table == "env" and SECRET.search(name) and not name.endswith("_FILE"):
        return "secret", refer(host, name, value)
    return "", value


def refer(host, name, otherwise):
    """How the host refers to a variable."""
    return host["reference"].replace("NAME", name) or otherwise
