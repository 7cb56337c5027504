"""What runs in a container, and what is wrong with the manifests around it.

    python -m labkit.deploy.run server servers/hr/server.py       # the entry point of every image in deploy/images
    python -m labkit.deploy.run gateway deploy/gateway/microservices.json
    labkit deploy check deploy                                    # Dockerfiles, Compose, Kubernetes, nginx, systemd

`settings` is what an entry point reads from its environment, `app` the HTTP side of a server (MCP at /mcp, and /health,
/ready, /metrics, as the gateway has them), `run` starts it and ends it in an orderly way. `check` reads manifests and
tells what breaks MCP or the operators of it; each of its rules says why, and what to write instead.
"""

from __future__ import annotations

from labkit.deploy.check import check_files as check_files
from labkit.deploy.check import check_path as check_path
from labkit.deploy.check import check_text as check_text
from labkit.deploy.rules import RULES as RULES
from labkit.deploy.rules import DeployError as DeployError
from labkit.deploy.rules import Finding as Finding
from labkit.deploy.rules import Rule as Rule

__all__ = ["RULES", "DeployError", "Finding", "Rule", "check_files", "check_path", "check_text"]
