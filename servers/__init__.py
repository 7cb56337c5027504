"""Example MCP servers. Each runs by itself: `python servers/NAME/server.py` speaks MCP on stdin and stdout.

This is a package only so that the modules of one server can import each other as `servers.NAME.MODULE`, whether the
server runs as a script, inside a notebook kernel, or under a test. `catalog.toml` says what there is.
"""
