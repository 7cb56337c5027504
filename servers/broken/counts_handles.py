"""Defect: the handles of its baskets are numbers that count, so that anyone can take goods out of the last one."""

from _plain import NOTHING, Error
from _plain_http import PlainHttp

BASKETS = {}
GOODS = {
    "type": "object",
    "properties": {"basket": {"type": "string", "description": "The handle of a basket."}},
    "required": ["basket"],
    "additionalProperties": False,
}


def begin(arguments):
    """A new basket."""
    handle = f"basket-{len(BASKETS) + 1:04}"
    BASKETS[handle] = 0
    return handle


def look(arguments):
    """How much is in a basket."""
    if arguments["basket"] not in BASKETS:
        raise Error(-32602, "There is no such basket")
    return BASKETS[arguments["basket"]]


if __name__ == "__main__":
    PlainHttp({"begin_basket": (NOTHING, begin), "look_into_basket": (GOODS, look)}).serve()
