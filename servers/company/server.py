"""The company as a monolith: the tools of hr, finance and it_tickets in one server.

Run it by itself (it speaks MCP on stdin and stdout): python servers/company/server.py

DATABASE_URL  sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME; without it, a file for each domain in work/

Worth noticing:
- there is no tool in this file: compare it with ../back_office and ../hr, which pack the same tools otherwise;
- one process to start, to watch and to update, and one that takes all of them along when it ends.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))  # run as a script, only this folder is on the path

from servers.company.parts import build
from servers.finance import budgets
from servers.hr import staff
from servers.it_tickets import desk

server = build(
    "company",
    "Company",
    "Employees, payroll and benefits; budgets and expenses; tickets, devices and access. Amounts are in cents.",
    staff,
    budgets,
    desk,
)


if __name__ == "__main__":
    server.run()
