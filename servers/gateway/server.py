"""A gateway: several of the lab's servers behind one endpoint, with names, policy and pins.

Run it by itself (it speaks MCP on stdin and stdout):

    python servers/gateway/server.py

GATEWAY_CONFIG  the configuration; gateway.json beside this file if unset

Worth noticing:
- all of it is labkit.gateway and a file: `labkit gateway run servers/gateway/gateway.json` is the same over HTTP, with
  /health, /ready and /metrics;
- each server has a prefix, and a name leads to its owner by a table: nobody takes "calc.add" apart to find it;
- its servers are started when somebody asks for the first time, and each by itself: one that cannot start takes down
  its own tools, and no others;
- tool descriptions are pinned: one that changes is held back until somebody approves it.
"""

import os
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))  # run as a script, only this folder is on the path

from labkit.gateway import Gateway, GatewayConfig

HERE = Path(__file__).resolve().parent

gateway = Gateway(GatewayConfig.read(os.environ.get("GATEWAY_CONFIG") or HERE / "gateway.json"))
server = gateway.server

if __name__ == "__main__":
    from labkit.gateway.running import run_stdio

    run_stdio(gateway)
