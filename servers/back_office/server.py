"""The back office: hr and finance in one server. With it_tickets beside it, the company as a hybrid.

Run it by itself (it speaks MCP on stdin and stdout): python servers/back_office/server.py

DATABASE_URL  sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME; without it, a file for each domain in work/

Worth noticing:
- people and money are packed together as the same few use both, and with the same care; tickets have many users, and
  a wave of them must not slow the payroll;
- the rest of the hybrid is nothing new: it is the server it_tickets as it stands.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))  # run as a script, only this folder is on the path

from servers.company.parts import build
from servers.finance import budgets
from servers.hr import staff

server = build(
    "back_office",
    "Back office",
    "Employees, payroll and benefits; budgets and expenses. Amounts are in cents.",
    staff,
    budgets,
)


if __name__ == "__main__":
    server.run()
