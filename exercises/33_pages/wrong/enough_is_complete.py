"""fails: circle, most, requests
why: There is what was asked for, so it is complete.
"""


def collect(fetch, key, most, requests):
    """The items of all pages, and whether they are complete. Raises RepeatedCursor."""
    items, cursor, seen = [], None, set()
    for _ in range(requests):
        if cursor in seen:
            raise RepeatedCursor(cursor)
        seen.add(cursor)
        page = fetch(cursor)
        items += page[key]
        cursor = page.get("nextCursor")
        if cursor is None or len(items) >= most:
            break
    return {"items": items[:most], "complete": len(items) <= most}


class RepeatedCursor(Exception):
    """The server goes round in a circle; the message is the cursor that came back."""


# For the checks: a server with these pages, by cursor; "start" is the first. Leave it as it is.
def rehearse(pages, key, most, requests):
    asked = []

    def fetch(cursor):
        asked.append(cursor)
        return pages["start" if cursor is None else f"at {cursor}"]

    try:
        return {"found": collect(fetch, key, most, requests), "asked": asked}
    except RepeatedCursor as error:
        return {"repeated": str(error), "asked": asked}
