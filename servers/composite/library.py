"""A few short articles to search, so that research works without a network. Written for the lab."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Article:
    title: str
    text: str


ARTICLES = {
    "caching": Article(
        "Keeping answers for later",
        "A cache keeps an answer so that the next caller does not have to wait. Every cache needs two decisions: "
        "how long an answer stays fresh, and for whom it may be used again. An answer that depends on the user must "
        "never be served to another user, so the user belongs into the key. Answers that are too old mislead quietly, "
        "which is worse than a slow answer. When many callers miss at the same moment, let one of them ask and the "
        "others wait for it. Measure the share of hits before you make a cache larger.",
    ),
    "retries": Article(
        "Trying again without making it worse",
        "A retry helps against errors that pass by themselves, such as a lost connection. It does not help against a "
        "request that is wrong, and repeating that only adds load. Wait longer after each attempt, and add chance to "
        "the wait, so that callers do not come back all at once. An operation that changes something may be repeated "
        "only if the server can tell that it is the same one. A budget for retries keeps a small outage from becoming "
        "a large one. Tell the caller when you have given up, and why.",
    ),
    "pools": Article(
        "Sharing connections",
        "Opening a connection to a database costs more than most queries. A pool keeps connections open and lends them "
        "to callers. A pool that is too small makes callers wait, and one that is too large exhausts the database. A "
        "connection that is not given back is lost to all, so lend it for a block of code only. Give waiting a time "
        "limit, and report how long callers have waited. After the database was restarted, a good pool replaces broken "
        "connections without being told.",
    ),
    "injection": Article(
        "When data becomes instruction",
        "Injection happens when text from outside is read as part of a program. In a query it ends a string and adds a "
        "command; parameters keep the two apart. In a shell it adds an argument or a second program; a list of "
        "arguments avoids the shell. In a prompt it talks to the model, and no quoting is certain to stop it. "
        "Therefore limit what a model can do after it has read text from outside. A tool that reads secrets and a tool "
        "that sends messages should not meet in one conversation.",
    ),
    "observability": Article(
        "Seeing what a server does",
        "Logs tell what happened, metrics tell how often, and traces tell where the time went. A log line should name "
        "the request, the tool, the duration and the outcome. Secrets and contents of users do not belong into logs. "
        "Watch the slowest of a hundred requests, as averages hide the users who wait. An alarm that nobody acts on "
        "should be removed. Errors that are counted by kind show which one to repair first.",
    ),
    "transports": Article(
        "How frames travel",
        "A server on the same machine is usually a child process that reads its input and writes its output. It starts "
        "with its host and ends with it, and needs no port. A server for many users is reached over HTTP, behind a "
        "proxy that ends encryption. Without sessions any copy of the server can answer any request, so copies can be "
        "added and removed. Streams need a proxy that does not buffer. Whatever the transport, a request needs a time "
        "limit and a way to be cancelled.",
    ),
    "testing": Article(
        "Tests that find something",
        "A test is worth keeping if it fails when the behaviour breaks. Test a server through its protocol, as that is "
        "what clients see. Test its rules without the protocol, as that is fast. A test that waits for a fixed time is "
        "either slow or wrong; wait for the event instead. Give every bad input a test that names the message it gets. "
        "Break the code on purpose now and then, and see whether a test notices.",
    ),
    "limits": Article(
        "Saying no in time",
        "Every input needs a limit: its length, its depth, how long it may take, how much it may return. A limit that "
        "is reached should be told, with what to do next. A server that is overloaded helps more callers by refusing "
        "some at once than by making all of them wait. Count per user and not per connection, or one user takes it "
        "all. Cancel the work when the caller has gone. An answer that was cut short has to say so.",
    ),
}  # fmt: skip

_COMMON = """
a about add after again all also an and any are as at be because before but by can does each every for from given has
have helps how if in into is it its keeps may more most must needs never no not of on once one only or other others out
should so some such tell tells than that the their them then there they this to too two what when where which who why
will with without work worse
"""
COMMON = frozenset(_COMMON.split())


def words(text: str) -> list[str]:
    """The words that carry meaning, in lower case; a plain plural counts as its singular."""
    found = re.findall(r"[^\W\d_]+", text.casefold())
    return [word.removesuffix("s") if len(word) > 4 else word for word in found if word not in COMMON and len(word) > 1]


def search(query: str, limit: int) -> list[tuple[str, int]]:
    """Names of articles and how often the words of the query occur in them, best first. A title counts three times."""
    wanted = set(words(query))
    scores = {
        name: sum(word in wanted for word in words(f"{name} " * 3 + f"{article.title} " * 3 + article.text))
        for name, article in ARTICLES.items()
    }
    best = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
    return [(name, score) for name, score in best if score][:limit]


def sentences(text: str) -> list[str]:
    return [sentence for sentence in re.split(r"(?<=[.!?])\s+", text.strip()) if sentence]


def summary(text: str, length: int, about: str = "") -> list[str]:
    """The sentences that hold most of what the text is about, in their order. `about` makes its words count more."""
    every = sentences(text)
    counts: dict[str, float] = {}
    for word in words(text):
        counts[word] = counts.get(word, 0) + 1
    for word in words(about):
        counts[word] = counts.get(word, 0) + 3
    weight = [sum(counts[word] for word in set(words(s))) / (4 + len(words(s))) for s in every]
    best = sorted(range(len(every)), key=lambda n: (-weight[n], n))[:length]
    return [every[n] for n in sorted(best)]
