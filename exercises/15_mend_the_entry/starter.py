import re

KEYS = ("mcpServers", "servers", "context_servers")
SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSWORD")
REFERENCE = re.compile(r"\$\{(?:env:)?([A-Z][A-Z0-9_]*)\}")


def mend(host, whole, machine):
    """The file as the host can use it, and what was wrong: [server, kind], "" for the file."""
    told = []
    for key in KEYS:
        if key in whole and key != host["key"]:
            told.append(["", "key"])
            whole[host["key"]] = whole.pop(key)
    servers = {}
    for name, entry in whole[host["key"]].items():
        servers[name], kinds = mend_entry(host, entry, machine)
        told += [[name, kind] for kind in kinds]
    return {"whole": {host["key"]: servers}, "told": told}


def mend_entry(host, entry, machine):
    """One server as the host can use it, and the kinds of what was wrong."""
    kinds = []
    command, args, env = entry.get("command", ""), entry.get("args", []), entry.get("env", {})
    if isinstance(args, str):
        kinds.append("args")
        args = args.split(" ")
    if " " in command:
        kinds.append("line")
        command, *args = command.split(" ")
    if command not in machine["programs"]:
        kinds.append("command")
    for place, word in enumerate(args):
        if word.endswith(".py"):
            kinds.append("relative")
            args[place] = f"{machine['folder']}/{word}"
    if "type" not in entry:
        kinds.append("type")
    for name in env:
        if SECRET.search(name):
            kinds.append("secret")
            env[name] = f"${{{name}}}"
    return {"type": "stdio", "command": command, "args": args, "env": env}, kinds
