"""Production patterns, each a small module: its mechanism as a class or function, and MCP middleware made of it.

    from labkit.patterns.rate_limit import RateLimit
    server = MCPServer("mine", middleware=[RateLimit("100/minute", key=by_principal)])

`stack` puts them in order. `calls` has what all middleware here is made of, `clock` the time they go by. Nothing is
imported before it is used.
"""
