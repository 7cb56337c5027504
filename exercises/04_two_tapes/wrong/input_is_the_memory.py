"""fails: memory
why: What the person said is new to the server. What it needs to go on is what it said itself.
"""

HANDSHAKE_TAPE = "B"

A_SELF_CONTAINED = [1, 3, 5]

B_SERVER_ASKS = 5

B_CLIENT_ANSWERS = 6

A_MEMORY = "inputResponses"

REQUESTS = {"A": 3, "B": 3}
