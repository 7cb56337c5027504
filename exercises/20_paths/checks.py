"""Checks of 20_paths."""

from __future__ import annotations

import os
import random
from pathlib import Path

from labkit.grading.checks import check, expect, expect_true
from labkit.grading.submission import Submission
from labkit.grading.talk import Reply, Session


def word(rng: random.Random) -> str:
    return "".join(rng.choices("abcdefghijkmnpqrstuvwxyz", k=7))


class Tree:
    """A folder `data` in a new root, with a server over it, and secrets around it."""

    def __init__(self, submission: Submission, rng: random.Random) -> None:
        self.root = Path(os.path.realpath(submission.folder)) / word(rng)
        self.data = self.root / "data"
        self.secret, self.text, self.name = f"canary-{word(rng)}", f"text {word(rng)}", f"{word(rng)}.txt"
        self.sibling, self.other, self.folder = (
            f"data{rng.choice(['-', '.', '_', ''])}{word(rng)}",
            word(rng),
            word(rng),
        )
        for folder in (self.sibling, self.other):
            self.put(self.root / folder / self.name, self.secret)
        self.put(self.data / self.name, self.text)
        self.put(self.data / self.folder / self.name, f"{self.text} below")
        self.submission = submission

    def put(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")

    def link(self, name: str, leads_to: str) -> str:
        """Make a link in `data`, and give its name."""
        (self.data / name).symlink_to(leads_to, target_is_directory="." not in leads_to.split("/")[-1])
        return name

    @property
    def session(self) -> Session:
        return self.submission.made({"RANGE_ROOT": str(self.root)})

    def read(self, path: str) -> list[tuple[str, Reply]]:
        """The answers of both tools that read."""
        return [(f"{tool}({path!r})", self.session.call(tool, path=path)) for tool in ("read_file", "first_lines")]

    def keeps_in(self, path: str) -> None:
        """A path that leads to a secret file is refused, by its name."""
        for what, reply in self.read(path):
            expect_true(self.secret not in reply.text, f"{what} gives what lies outside: {reply.text!r}")
            expect_true(reply.is_error, f"{what} is no error")
            said = reply.text.partition(": ")[2].strip()
            expect_true(path in said, f"the error of {what} does not name the path: {reply.text!r}")
            expect_true(said != path, f"the error of {what} names the path, and does not say what is wrong with it")
        self.keeps_from_writing(path)

    def keeps_from_writing(self, path: str) -> None:
        before = self.outside()
        reply = self.session.call("save_file", path=path, text="planted")
        expect_true(self.outside() == before, f"save_file({path!r}) writes outside of the folder")
        expect_true(reply.is_error, f"save_file({path!r}) is no error")

    def outside(self) -> dict[str, str]:
        """What is in the files around `data`."""
        return {
            str(path): path.read_text(encoding="utf-8")
            for folder in (self.sibling, self.other)
            for path in (self.root / folder).rglob("*")
            if path.is_file()
        }

    def gives(self, path: str, text: str) -> None:
        """A path is read as this text by both tools."""
        for (what, reply), wanted in zip(self.read(path), (text, text.splitlines()[:3]), strict=True):
            expect(reply.data and reply.data.get("result"), wanted, f"{what}, {reply.text[:120]!r}")


@check(
    "attack: a folder that begins alike is another folder",
    points=3,
    reason="`data-private` begins with `data`: texts have no names in them, paths have.",
    about="make",
)
def test_beside(submission: Submission, rng: random.Random) -> None:
    tree = Tree(submission, rng)
    place = f"{tree.sibling}/{tree.name}"
    for path in (f"../{place}", f"{tree.folder}/../../{place}", f".//..//{place}", f"{tree.root}/{place}"):
        tree.keeps_in(path)
    tree.keeps_from_writing(f"../{tree.sibling}/{word(rng)}.txt")


@check(
    "attack: nothing else of the machine is read or written",
    points=3,
    reason="An absolute path on the right side of a join takes the place of the left one, and has no dots in it.",
    about="make",
)
def test_elsewhere(submission: Submission, rng: random.Random) -> None:
    tree = Tree(submission, rng)
    place = f"{tree.other}/{tree.name}"
    for path in (f"../{place}", f"{tree.root}/{place}", f"{tree.data}/../{place}", f"{tree.root}//.//{place}"):
        tree.keeps_in(path)
    tree.keeps_from_writing(f"{tree.root}/{tree.other}/new/{word(rng)}.txt")


@check(
    "attack: links do not lead out",
    points=3,
    reason="Whoever may put a link into the folder would else choose what everybody can read, and where they write.",
    about="make",
)
def test_links(submission: Submission, rng: random.Random) -> None:
    tree = Tree(submission, rng)
    file = tree.link(f"{word(rng)}.txt", f"../{tree.other}/{tree.name}")
    folder = tree.link(word(rng), f"../{tree.other}")
    absolute = tree.link(word(rng), f"{tree.root}/{tree.other}")
    second = tree.link(f"{tree.folder}/{word(rng)}", f"../{folder}")
    up = tree.link(word(rng), "..")
    for path in (
        file,
        f"{folder}/{tree.name}",
        f"{absolute}/{tree.name}",
        f"{second}/{tree.name}",
        f"{up}/{tree.other}/{tree.name}",
        f"{tree.data}/{folder}/{tree.name}",
    ):
        tree.keeps_in(path)
    tree.keeps_from_writing(f"{folder}/{word(rng)}.txt")
    tree.keeps_from_writing(tree.link(f"{word(rng)}.txt", f"../{tree.other}/{word(rng)}.txt"))


@check(
    "use: files are read and written",
    points=3,
    reason="A server that refuses everything is safe, and nobody needs it.",
    about="make",
)
def test_use(submission: Submission, rng: random.Random) -> None:
    tree = Tree(submission, rng)
    lines = [f"{n} {word(rng)}" for n in range(rng.randint(4, 9))]
    many, new = f"{word(rng)}/{word(rng)}.txt", f"{word(rng)}/{word(rng)}/{word(rng)}.txt"
    tree.put(tree.data / many, "\n".join(lines))
    for path, text in ((tree.name, tree.text), (f"{tree.folder}/{tree.name}", f"{tree.text} below")):
        tree.gives(path, text)
    tree.gives(many, "\n".join(lines))
    reply = tree.session.call("first_lines", path=many, lines=2)
    expect(reply.data and reply.data.get("result"), lines[:2], f"the first two lines of {many}")
    for path in (new, tree.name, new):
        text = f"ä {word(rng)}"
        reply = tree.session.call("save_file", path=path, text=text)
        expect(reply.data, {"result": f"{path} is saved"}, f"save_file({path!r}), {reply.text!r}")
        expect((tree.data / path).read_text(encoding="utf-8"), text, f"what is in {path} after save_file")
        tree.gives(path, text)
    missing = f"{word(rng)}.txt"
    for path, why in ((missing, "No such file"), (tree.folder, "")):
        for what, reply in tree.read(path):
            said = f"{path} cannot be read: {why}"
            expect_true(reply.is_error and said in reply.text, f"{what} answers {reply.text!r}, without {said!r}")
    reply = tree.session.call("save_file", path=tree.folder, text="x")
    said = reply.is_error and reply.text.partition(f"{tree.folder} cannot be written: ")[2].strip()
    expect_true(said, f"save_file({tree.folder!r}), a folder, answers {reply.text!r}")
    kinds = {name: tool.get("annotations", {}).get("readOnlyHint") for name, tool in tree.session.tools().items()}
    expect(kinds, {"read_file": True, "first_lines": True, "save_file": None}, "readOnlyHint of the tools")


@check(
    "use: the shared folder may be reached through a link",
    points=1,
    reason="Where a disk is mounted is the operator's business. On macOS, even /tmp is a link.",
    about="make",
)
def test_alias(submission: Submission, rng: random.Random) -> None:
    tree = Tree(submission, rng)
    alias = tree.root.with_name(word(rng))
    alias.symlink_to(tree.root, target_is_directory=True)
    reply = submission.made({"RANGE_ROOT": str(alias)}).call("read_file", path=tree.name)
    expect(reply.data, {"result": tree.text}, f"read_file({tree.name!r}) with a root that is a link")


@check(
    "near miss: dots and absolute paths that stay inside are used",
    points=2,
    reason="Hosts write absolute paths, people write `..`. What counts is where they lead.",
    about="make",
)
def test_dots(submission: Submission, rng: random.Random) -> None:
    tree = Tree(submission, rng)
    for path in (
        f"{tree.folder}/../{tree.name}",
        f"./{tree.folder}//.././{tree.name}",
        f"../data/{tree.name}",
        f"{tree.data}/{tree.name}",
        f"{tree.data}/{tree.folder}/../{tree.name}",
    ):
        tree.gives(path, tree.text)
    for name in (f"..{word(rng)}", f"{word(rng)}..{word(rng)}.txt", f"{tree.sibling}/{word(rng)}", "%2e%2e%2fx", "~"):
        tree.put(tree.data / name, name)
        tree.gives(name, name)
    path = f"{tree.folder}/../..{word(rng)}.txt"
    reply = tree.session.call("save_file", path=path, text=tree.text)
    expect_true(not reply.is_error, f"save_file({path!r}) stays inside, and is refused: {reply.text!r}")
    expect((tree.data / path).resolve().read_text(encoding="utf-8"), tree.text, f"what is in {path} after save_file")


@check(
    "near miss: links from inside to inside are used",
    points=2,
    reason="`latest.txt` that points to the newest file is an old and honest habit.",
    about="make",
)
def test_inner_links(submission: Submission, rng: random.Random) -> None:
    tree = Tree(submission, rng)
    file = tree.link(f"{word(rng)}.txt", tree.name)
    folder = tree.link(word(rng), tree.folder)
    back = tree.link(f"{tree.folder}/{word(rng)}", "..")
    whole = tree.link(word(rng), str(tree.data))
    for path in (file, f"{back}/{tree.name}", f"{whole}/{tree.name}", f"{whole}/{back}/{file}"):
        tree.gives(path, tree.text)
    tree.gives(f"{folder}/{tree.name}", f"{tree.text} below")
    for path, place in ((f"{folder}/new.txt", f"{tree.folder}/new.txt"), (file, tree.name)):
        reply = tree.session.call("save_file", path=path, text="saved")
        expect_true(not reply.is_error, f"save_file({path!r}) stays inside, and is refused: {reply.text!r}")
        expect((tree.data / place).read_text(encoding="utf-8"), "saved", f"what is in {place} after save_file")
