"""Checks of 07_addresses. Pages and words come from the seed."""

import json
import random

from labkit.grading.checks import check, expect, expect_fault, expect_names, expect_true
from labkit.grading.submission import Submission

TEMPLATE = "handbook://pages/{+path}"
PAGES = {
    "welcome.md": "# Welcome",
    "travel/rail.md": "Book second class.",
    "travel/night/sleeper.md": "Take a cabin.",
}
COVER = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def word(rng: random.Random) -> str:
    return "".join(rng.choices("bcdfghjklmnpqrstvwxz", k=8))


@check(
    "every page can be read, in any folder",
    points=2,
    reason="A client builds the address from the template; a variable without + ends at the first slash.",
    about="page",
)
def test_pages(submission: Submission, rng: random.Random) -> None:
    hello = submission.session("memory", "2025-11-25").hello
    expect(hello["serverInfo"]["name"], "handbook", "the server's name")
    for session in submission.everywhere():
        expect_names(session.templates(), [TEMPLATE], f"the resource templates ({session})")
        path, text = f"{word(rng)}/{word(rng)}/{word(rng)}.md", word(rng)
        expect(session.call("write_page", path=path, text=text).text, f"wrote {path}", "write_page")
        for known, content in {**PAGES, path: text}.items():
            found = session.read(f"handbook://pages/{known}")["contents"][0]
            expect(found.get("text"), content, f"handbook://pages/{known} ({session})")
            expect(found.get("mimeType"), "text/markdown", f"the type of handbook://pages/{known}")


@check(
    "a missing page is error -32602, an empty one is not",
    points=2,
    reason="An empty text says that there is something, and it is empty. Only an error says that there is nothing.",
    about="page",
)
def test_missing(submission: Submission, rng: random.Random) -> None:
    for session in submission.everywhere():
        never, empty = f"{word(rng)}.md", f"{word(rng)}.md"
        fault = expect_fault(-32602, f"the page {never}", session.read, f"handbook://pages/{never}")
        expect_true(never in fault.message, f"the error does not name {never}: {fault.message!r}")
        session.call("write_page", path=empty, text="")
        expect(session.read(f"handbook://pages/{empty}")["contents"][0].get("text"), "", "a page without text")


@check(
    "the index is JSON of this moment",
    points=2,
    reason="A list that a program cannot parse, or that was true when the server started, leads nowhere.",
    about="index",
)
def test_index(submission: Submission, rng: random.Random) -> None:
    for session in submission.everywhere():
        path = f"{word(rng)}.md"
        session.call("write_page", path=path, text=word(rng))
        found = session.read("handbook://index")["contents"][0]
        expect(found.get("mimeType"), "application/json", "the type of handbook://index")
        try:
            paths = json.loads(found["text"])
        except ValueError:
            paths = found["text"]
        expect_true(isinstance(paths, list), f"handbook://index is no JSON list: {paths!r}")
        expect_true(path in paths, f"{path} was written, and is not in the index: {paths}")
        expect_names(paths, PAGES, "the index")
        expect(paths, sorted(paths), "the index, sorted")


@check(
    "the cover is a PNG file",
    points=2,
    reason="Binary data travels as a blob with its type; a text with base64 in it is a text.",
    about="cover",
)
def test_cover(submission: Submission, rng: random.Random) -> None:
    for session in submission.everywhere():
        found = session.read("handbook://cover")["contents"][0]
        expect(found.get("mimeType"), "image/png", f"the type of handbook://cover ({session})")
        expect_true("blob" in found, f"handbook://cover has no blob; it has {', '.join(found)}")
        expect(found["blob"], COVER, "the blob of handbook://cover")


@check(
    "find_pages answers with links that can be read",
    points=3,
    reason="A link costs nothing until somebody reads it; it works only if its address does.",
    about="find_pages",
)
def test_links(submission: Submission, rng: random.Random) -> None:
    for session in submission.everywhere():
        secret = word(rng)
        texts = {f"{word(rng)}/{word(rng)}.md": f"about {secret} and {word(rng)}" for _ in range(rng.randint(2, 4))}
        for path, text in texts.items():
            session.call("write_page", path=path, text=text)
        session.call("write_page", path=f"{secret}.md", text="nothing of the kind")
        content = session.call("find_pages", word=secret)["content"]
        expect([block["type"] for block in content], ["resource_link"] * len(texts), f"find_pages: types ({session})")
        read = [session.read(block["uri"]).text for block in content]
        expect(read, [texts[path] for path in sorted(texts)], "what is read at the links, one after the other")


@check(
    "what was read may be kept for a minute, by anyone",
    points=1,
    reason="Without a hint every client asks every time.",
    about="server",
)
def test_kept(submission: Submission, rng: random.Random) -> None:
    for via in ("memory", "process"):
        reply = submission.session(via).read("handbook://pages/welcome.md")
        expect([reply.get("ttlMs"), reply.get("cacheScope")], [60_000, "public"], "ttlMs and cacheScope")
