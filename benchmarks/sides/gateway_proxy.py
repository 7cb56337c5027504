"""mcp-proxy in front of a server over stdio: gateway_proxy.py PYTHON, which is the lab's and runs the server."""

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

BACKEND = str(Path(__file__).with_name("gateway_backend.py"))
PATIENCE = 60.0


def free_port() -> int:
    """A port that nobody has just now: mcp-proxy does not tell which one it took."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def answers(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0


port = free_port()
command = [sys.executable, "-m", "mcp_proxy", "--host", "127.0.0.1", "--port", str(port), "--log-level", "ERROR"]
proxy = subprocess.Popen([*command, "--", sys.argv[1], BACKEND, "0", "stdio"], stdin=subprocess.DEVNULL, stdout=2)
try:
    until = time.monotonic() + PATIENCE
    while not answers(port):
        if proxy.poll() is not None or time.monotonic() > until:
            sys.exit("mcp-proxy did not begin to listen")
        time.sleep(0.05)
    print(json.dumps({"url": f"http://127.0.0.1:{port}/mcp"}), flush=True)
    sys.stdin.read()
finally:
    proxy.terminate()
    try:
        proxy.wait(5)
    except subprocess.TimeoutExpired:
        proxy.kill()
