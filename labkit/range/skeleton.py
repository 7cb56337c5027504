"""The texts that `labkit.range.new` writes: a tool that pastes a name into a path, attacked, repaired and graded.

`@WORD@` is filled in. Servers are `TWIN` with one of the `RULES`: the two of the drill, and the wrong answers.
"""

from __future__ import annotations

TWIN = '''"""@DOC@"""

from collections.abc import Mapping
from pathlib import Path

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations


def make(env: Mapping[str, str]) -> MCPServer:
    """A server of the folder `data` in RANGE_ROOT."""
    root = Path(env["RANGE_ROOT"], "data").resolve()
    server = MCPServer("@WHICH@-@ID@", log_level="ERROR")

    @server.tool(annotations=ToolAnnotations(read_only_hint=True))
    def read_file(path: str) -> str:
        """The text of a file in the shared folder."""
        @RULE@
        if not place.is_file():
            raise ToolError(f"{path} is not there")
        return place.read_text(encoding="utf-8")

    return server


if __name__ == "__main__":
    from labkit.range import run

    run(make)
'''

_REFUSED = 'raise ToolError(f"{path} leads out of the shared folder")'
_WRONG = "fails: @FAILS@\nwhy: TODO @WHY@\n"


def _rule(doc: str, *lines: str, which: str = "fixed") -> dict[str, str]:
    return {"@DOC@": doc, "@WHICH@": which, "@RULE@": "\n        ".join(lines)}


def _wrong(fails: str, why: str, *lines: str) -> dict[str, str]:
    return _rule(_WRONG.replace("@FAILS@", fails).replace("@WHY@", why), *lines)


RULES = {
    "vulnerable": _rule(
        "Vulnerable: TODO what is wrong, in a sentence. Here: a name is pasted into a path.",
        "place = root / path",
        which="vulnerable",
    ),
    "fixed": _rule(
        "Fixed: TODO what mends it, in a sentence. Here: where the path leads is compared, and not its text.",
        "place = (root / path).resolve()",
        "if not place.is_relative_to(root):",
        f"    {_REFUSED}",
    ),
    "looks_at_the_beginning": _wrong(
        "attack",
        "Dots are looked for where the attack that was shown has them, and nowhere else.",
        "place = root / path",
        'if path.startswith(("..", "/")):',
        f"    {_REFUSED}",
    ),
    "compares_texts": _wrong(
        "attack",
        "The whole path does begin with the folder: the dots come after it.",
        "place = root / path",
        "if not str(place).startswith(str(root)):",
        f"    {_REFUSED}",
    ),
    "answers_with_nothing": _wrong(
        "attack",
        "Nothing leaks, but an empty text is no refusal: a caller takes it for the file.",
        "place = (root / path).resolve()",
        "if not place.is_relative_to(root):",
        '    return ""',
    ),
    "last_name_only": _wrong(
        "use",
        "The last name alone leads nowhere else, and to no folder inside either.",
        "place = root / Path(path).name",
    ),
    "over_blocks_dots": _wrong(
        "near_miss",
        "Whatever has two dots in it is refused, before anybody looks where it leads.",
        "place = (root / path).resolve()",
        'if ".." in path or not place.is_relative_to(root):',
        f"    {_REFUSED}",
    ),
}
"""By file name: the two servers of the drill, then the wrong answers of its exercise."""

DRILL = {
    "drill.toml": """number = @NUMBER@
title = "@TITLE@"
happened = "TODO: the real case: which product, when, what came of it, and where that is written (a CVE, an advisory)."
owasp = ["MCP05"]
spec = "server/tools#security-considerations"
finds = ["security.traversal"]
via = "memory"
exercise = "@EXERCISE@"
notebook = "@NOTEBOOK@"
summary = "TODO: what is wrong, in a sentence."
repair = "TODO: what mends it, in a sentence."
""",
    "drill.py": '''"""The drill of class @NUMBER@: TODO what the attack is, in a sentence."""

from labkit.range import Target

ATTACKS = ("../secret.txt", "notes/../../secret.txt")
"""Paths that lead to a file beside the folder."""
LEGITIMATE = {"plan.txt": "the plan", "notes/today.txt": "what is to be done"}
"""What the server is for: files, and what is in them."""
NEAR_MISSES = {"notes/../plan.txt": "the plan", "./notes/today.txt": "what is to be done"}
"""What looks like the attack and stays inside, and what it means."""


def lay_out(target: Target) -> None:
    """Make the files."""
    for path, text in (*((f"data/{name}", text) for name, text in LEGITIMATE.items()), ("secret.txt", target.canary)):
        place = target.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")


async def attack(target: Target) -> list[str]:
    """What was obtained, a line each; nothing when the server stands. The canary in a line proves it."""
    lay_out(target)
    conn = await target.connect()
    answers = [(path, await conn.call("read_file", path=path)) for path in ATTACKS]
    return [f"read_file({path!r}) gave {answer.text}" for path, answer in answers if target.canary in answer.text]


async def legitimate(target: Target) -> list[str]:
    """What should work and does not, a sentence each."""
    return await asked(target, LEGITIMATE)


async def near_misses(target: Target) -> list[str]:
    """What is refused and should not be, a sentence each."""
    return await asked(target, NEAR_MISSES)


async def asked(target: Target, cases: dict[str, str]) -> list[str]:
    lay_out(target)
    conn = await target.connect()
    answers = [(path, text, await conn.call("read_file", path=path)) for path, text in cases.items()]
    return [f"read_file({path!r}) should give {text!r}, not {a.text!r}" for path, text, a in answers if a.text != text]
''',
}

EXERCISE = {
    "exercise.toml": '''title = "@TITLE@"
track = "security"
range = "@ID@"
notebook = "@NOTEBOOK@"
kind = "repair"
difficulty = 2  # 1 to 5
minutes = 20
points = 9  # what the checks give together
objectives = ["TODO: after it the learner can ..."]
hints = ["TODO: the first hint, a nudge", "TODO: the last hint, nearly the answer"]
afterword = """
TODO: the class in the OWASP MCP Top 10, the section of the specification, and what to take from it.
"""
''',
    "task.md": """# @TITLE@

TODO: what the server is for, and what happened. Repair the file. What has to be so afterwards:

- A path that leads out of the shared folder is an error, and nothing of what lies there is in the answer.
- Every file inside is read as before, however its path is written.
""",
    "checks.py": '''"""Checks of @EXERCISE@."""

from __future__ import annotations

import random
from pathlib import Path

from labkit.grading.checks import check, expect, expect_true
from labkit.grading.submission import Submission
from labkit.grading.talk import Session


class Files:
    """A folder `data` with two files, a secret beside it, and a server over it. Every name is new in every run."""

    def __init__(self, submission: Submission, rng: random.Random) -> None:
        words = ["".join(rng.choices("abcdefghkmnp", k=8)) for _ in range(6)]
        self.name, self.beside, self.folder, self.text, self.secret, root = words
        self.root = Path(submission.folder) / root
        for path, text in (
            (f"data/{self.name}", self.text),
            (f"data/{self.folder}/{self.name}", f"{self.text} below"),
            (self.beside, self.secret),
        ):
            place = self.root / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8", newline="\\n")
        self.submission = submission

    @property
    def session(self) -> Session:
        return self.submission.made({"RANGE_ROOT": str(self.root)})


@check("attack: a path that leads out is refused", points=4, reason="TODO: why it matters.", about="make")
def test_attack(submission: Submission, rng: random.Random) -> None:
    files = Files(submission, rng)
    for path in (f"../{files.beside}", f"{files.folder}/../../{files.beside}"):
        reply = files.session.call("read_file", path=path)
        expect_true(files.secret not in reply.text, f"read_file({path!r}) gives what lies outside: {reply.text!r}")
        expect_true(reply.is_error, f"read_file({path!r}) is no error")


@check("use: files and folders inside are read", points=3, reason="TODO: why it matters.", about="make")
def test_use(submission: Submission, rng: random.Random) -> None:
    files = Files(submission, rng)
    for path, text in ((files.name, files.text), (f"{files.folder}/{files.name}", f"{files.text} below")):
        expect(files.session.call("read_file", path=path).data, {"result": text}, f"read_file({path!r})")


@check("near miss: dots that stay inside are used", points=2, reason="TODO: why it matters.", about="make")
def test_near_miss(submission: Submission, rng: random.Random) -> None:
    files = Files(submission, rng)
    path = f"{files.folder}/../{files.name}"
    expect(files.session.call("read_file", path=path).data, {"result": files.text}, f"read_file({path!r})")
''',
}
