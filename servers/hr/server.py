"""HR: employees, their benefits and the payroll. One of three specialised servers of a company.

Run it by itself (it speaks MCP on stdin and stdout): python servers/hr/server.py

DATABASE_URL  sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME; without it, work/hr.db below the lab

Worth noticing:
- the tools are in staff.py, which does not know in which server it is: ../company packs all three domains into one
  server, ../back_office two of them (compare them in notebook 24);
- no answer holds what one person earns, only sums for four people or more: what a tool does not tell, no model repeats;
- leave is not here. It has a server of its own, leave_manager, that uses the same ids.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))  # run as a script, only this folder is on the path

from servers.company.parts import build
from servers.hr import staff

server = build("hr", "HR", "Employees, payroll and benefits. Amounts are in cents.", staff)


if __name__ == "__main__":
    server.run()
