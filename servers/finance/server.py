"""Finance: budgets of departments, amounts that are held for something, and expenses.

Run it by itself (it speaks MCP on stdin and stdout): python servers/finance/server.py

DATABASE_URL  sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME; without it, work/finance.db below the lab

Worth noticing:
- the tools are in budgets.py, which does not know in which server it is (see ../company);
- an amount can be held first and spent later, and let go in between: that is what makes a process over several servers
  possible that can be undone (see ../workflow);
- no budget is overdrawn, whoever asks at the same time: one statement checks and changes.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))  # run as a script, only this folder is on the path

from servers.company.parts import build
from servers.finance import budgets

server = build("finance", "Finance", "Budgets of departments, and expenses. Amounts are in cents.", budgets)


if __name__ == "__main__":
    server.run()
