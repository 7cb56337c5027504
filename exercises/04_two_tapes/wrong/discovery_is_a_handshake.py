"""fails: handshake_tape
why: Tape A begins with a question about the server, which looks like an opening. Nothing depends on it.
"""

HANDSHAKE_TAPE = "A"

A_SELF_CONTAINED = [1, 3, 5]

B_SERVER_ASKS = 5

B_CLIENT_ANSWERS = 6

A_MEMORY = "requestState"

REQUESTS = {"A": 3, "B": 3}
