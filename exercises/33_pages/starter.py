def collect(fetch, key, most, requests):
    """The items of all pages, and whether they are complete. Raises RepeatedCursor."""
    raise NotImplementedError


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
