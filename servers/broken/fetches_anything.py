"""Defect: it fetches whatever address it is given, of its own machine too."""

import urllib.request

from _plain import Plain

URL = {
    "type": "object",
    "properties": {"url": {"type": "string", "description": "The page to fetch."}},
    "required": ["url"],
    "additionalProperties": False,
}
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def fetch(arguments):
    """The text of a page."""
    if not arguments["url"].startswith(("http://", "https://")):
        return {"content": [{"type": "text", "text": "That is no address of a page"}], "isError": True}
    try:
        with DIRECT.open(arguments["url"], timeout=2) as answer:
            return answer.read(10_000).decode("utf-8", "replace")
    except (OSError, ValueError):
        return {"content": [{"type": "text", "text": "The page cannot be had"}], "isError": True}


if __name__ == "__main__":
    Plain({"fetch": (URL, fetch)}).run()
