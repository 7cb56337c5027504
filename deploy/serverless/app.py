"""A server for a platform that starts a process when a request comes and ends it when none do: stateless ASGI.

    uvicorn deploy.serverless.app:app --host 0.0.0.0 --port $PORT

MCP_SERVER  the server's file, below the lab; servers/calculator/server.py if unset
All else is read as by any container of the lab: see labkit/deploy/settings.py.

Worth noticing:
- no sessions in either era: the next request of a client may come to a process that has just been born, or to another;
- answers are one JSON document, not a stream: platforms of this kind bill or cut what stays open, and many buffer. So
  there is no progress on the way, and a client cannot listen for changes;
- what is kept here is kept by one process, for a while: caches are fine, counters and files are not;
- the module is imported at each cold start, so it imports no more than it needs, and connects to nothing by itself.
"""

import os
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))

from labkit.catalog import LAB_ROOT
from labkit.deploy.app import server_app
from labkit.deploy.settings import Settings, take_secrets
from labkit.session.loading import load_server

take_secrets(os.environ)
server = load_server(LAB_ROOT / os.environ.get("MCP_SERVER", "servers/calculator/server.py"))[0]
app = server_app(server, Settings.read({**os.environ, "MCP_STATELESS": "1"}), json_response=True)
