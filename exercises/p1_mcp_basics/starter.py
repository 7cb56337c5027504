from mcp.server import MCPServer

MOTTO = "Small steps, each one checked."

server = MCPServer("desk")

# Add the tools `add` and `shout` here.

# Add the resources `desk://motto` and `greeting://{name}` here.

# Start the server on stdio when this file is run as a program.
