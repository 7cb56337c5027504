from mcp.server import MCPServer

STOCK = {"bolt": 40, "nut": 12}

server = MCPServer("stockroom")

# Add the tools `put` and `take` here.

# Add the resources `stock://all` and `stock://item/{item}` here.

# Add the prompt `reorder` here.

if __name__ == "__main__":
    server.run()
