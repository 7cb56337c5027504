"""fails: requests
why: The question inside frame 4 has a method, so it is counted; without an id of its own it is no request.
"""

HANDSHAKE_TAPE = "B"

A_SELF_CONTAINED = [1, 3, 5]

B_SERVER_ASKS = 5

B_CLIENT_ANSWERS = 6

A_MEMORY = "requestState"

REQUESTS = {"A": 4, "B": 3}
