"""fails: client_answers, server_asks
why: Both frames with id 1 at the top look like a pair; these belong to the handshake.
"""

HANDSHAKE_TAPE = "B"

A_SELF_CONTAINED = [1, 3, 5]

B_SERVER_ASKS = 1

B_CLIENT_ANSWERS = 2

A_MEMORY = "requestState"

REQUESTS = {"A": 3, "B": 3}
