"""IPython's memory of outputs lets go of connections, so that a closed or forgotten one really ends."""

from __future__ import annotations

from typing import Any

_HOLDERS = {"Connection", "Subscription", "Tools", "Prompts", "Handle"}


def let_go(ip: Any, shown: Any) -> None:
    """Take connections, and what leads to them, out of IPython's memory of outputs, but for `_`, the last one.

    A cell that ends with `conn` or `conn.tools` would otherwise keep that connection, and its server's process,
    open until the kernel ends: `Out` still has it when the name has long moved on to another.
    """
    outputs = ip.user_ns.get("_oh", {})
    for number in [number for number, value in outputs.items() if _holds_connection(value)]:
        value = outputs.pop(number)
        for names in (ip.user_ns, ip.user_ns_hidden):
            if names.get(f"_{number}") is value:
                del names[f"_{number}"]
    for name in ("_", "__", "___"):
        value = getattr(ip.displayhook, name, None)
        if _holds_connection(value) and value is not shown:
            setattr(ip.displayhook, name, "")
            if ip.user_ns.get(name) is value:
                ip.push({name: ""}, interactive=False)


def _holds_connection(value: Any) -> bool:
    return type(value).__module__.startswith("labkit.session.") and type(value).__name__ in _HOLDERS
