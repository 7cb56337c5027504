"""What keeps a server safe: guards for what comes in and goes out, who calls, and what they may.

One module for each thing to defend, used by the lab's own servers and by the gateway.
"""
