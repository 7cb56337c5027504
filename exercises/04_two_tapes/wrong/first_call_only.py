"""fails: self_contained
why: Frame 5 looks like a continuation, but all it continues is in its own parameters.
"""

HANDSHAKE_TAPE = "B"

A_SELF_CONTAINED = [1, 3]

B_SERVER_ASKS = 5

B_CLIENT_ANSWERS = 6

A_MEMORY = "requestState"

REQUESTS = {"A": 3, "B": 3}
