"""Import `jsonschema` without the URI grammar that Jupyter brings along.

`jsonschema` looks for `rfc3987_syntax` when it is imported. Jupyter installs it, and it compiles a
grammar: about 1.4 s, paid by every process that imports `mcp`'s validation. The lab checks no URI
formats, so it hides that one package while `jsonschema` is imported, and only then.
"""

from __future__ import annotations

import sys

GRAMMAR = "rfc3987_syntax"


def hide_grammar() -> None:
    """Hide the grammar for the life of this process: for processes that the lab starts for its own servers."""
    sys.modules.setdefault(GRAMMAR, None)  # type: ignore[arg-type]  # the documented way to make an import fail


def lean_jsonschema() -> None:
    """Import `jsonschema` quickly. Harmless when it is imported already."""
    if "jsonschema" in sys.modules:
        return
    hidden = GRAMMAR not in sys.modules
    hide_grammar()
    try:
        import jsonschema  # noqa: F401  # pyright: ignore[reportUnusedImport]
    finally:
        if hidden:
            del sys.modules[GRAMMAR]
