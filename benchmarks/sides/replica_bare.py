"""One server of the SDK under a bare uvicorn, as one replica is: says its URL, stops when its stdin closes.

The parser is h11, as in the servers that the lab starts, so that what differs is the number of processes.
"""

import asyncio
import json
import os
import socket
import threading

import uvicorn

from labkit.scaling.desk import server


async def main() -> None:
    """Serve at /mcp."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(256)
    app = server.streamable_http_app()
    config = uvicorn.Config(app, http="h11", log_level="error", access_log=False, timeout_graceful_shutdown=1)
    runner = uvicorn.Server(config)

    def watch() -> None:
        while os.read(0, 4096):
            pass
        runner.should_exit = True

    threading.Thread(target=watch, daemon=True).start()
    print(json.dumps({"url": f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"}), flush=True)
    await runner.serve(sockets=[listener])


asyncio.run(main())
