"""IT: tickets, devices and who holds them, and access to systems.

Run it by itself (it speaks MCP on stdin and stdout): python servers/it_tickets/server.py

DATABASE_URL  sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME; without it, work/it_tickets.db below the lab

Worth noticing:
- the tools are in desk.py, which does not know in which server it is (see ../company);
- ids of employees are taken as they come: who exists is known by hr alone, and asking it would tie the two together.
  Who needs both to agree uses ../workflow.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))  # run as a script, only this folder is on the path

from servers.company.parts import build
from servers.it_tickets import desk

server = build("it_tickets", "IT tickets", "Tickets, devices and access to systems.", desk)


if __name__ == "__main__":
    server.run()
