"""Checks of 15_mend_the_entry. Hosts, names, paths and secrets come from the seed."""

import json
import random
from typing import Any

from labkit.grading.checks import check, expect
from labkit.grading.submission import Submission

Json = dict[str, Any]
HOSTS: dict[str, Json] = {
    "Cursor": {"key": "mcpServers", "typed": False, "reference": "${env:NAME}"},
    "Claude Code": {"key": "mcpServers", "typed": True, "reference": "${NAME}"},
    "VS Code": {"key": "servers", "typed": True, "reference": "${env:NAME}"},
    "Zed": {"key": "context_servers", "typed": False, "reference": ""},
    "Claude Desktop": {"key": "mcpServers", "typed": False, "reference": ""},
}
KEYS = ("mcpServers", "servers", "context_servers")


def word(rng: random.Random) -> str:
    return "".join(rng.choices("bcdfghjklmnpqrstvwxz", k=6))


class Desk:
    """A machine, and a file of a host on it with one server."""

    def __init__(self, submission: Submission, rng: random.Random) -> None:
        self._submission, self.rng = submission, rng
        self.program, self.folder = word(rng), f"/opt/{word(rng)}/{word(rng)}"
        self.spaced = f"/opt/My {word(rng)}/run"
        self.script, self.deep = f"{word(rng)}.py", f"src/{word(rng)}.js"
        files = [f"{self.folder}/{self.script}", f"{self.folder}/{self.deep}", f"/srv/{word(rng)}.py"]
        self.machine: Json = {"programs": [self.program, self.spaced], "folder": self.folder, "files": files}
        self.name = word(rng)

    def good(self, host: str, **more: Any) -> Json:
        """An entry that this host can use."""
        kind = {"type": "stdio"} if HOSTS[host]["typed"] else {}
        return {**kind, "command": self.program, "args": ["-m", word(self.rng)], **more}

    def whole(self, host: str, entry: Json) -> Json:
        return {"theme": word(self.rng), HOSTS[host]["key"]: {self.name: entry}, "last": self.rng.randint(1, 99)}

    def mended(self, host: str, whole: Json, wanted: Json, told: list[list[str]]) -> None:
        """This file is mended to that one, members in that order, and so much is told."""
        found = self._submission.call("mend", HOSTS[host], whole, self.machine)
        what = f"{json.dumps(whole)} of {host}, with {self.machine}"
        expect(json.dumps(found["whole"]), json.dumps(wanted), f"mending {what}")
        expect(sorted(found["told"]), sorted(told), f"what is told about {what}")

    def entry(self, host: str, entry: Json, wanted: Json, *kinds: str) -> None:
        whole = self.whole(host, entry)
        changed = {**whole, HOSTS[host]["key"]: {self.name: wanted}}
        self.mended(host, whole, changed, [[self.name, kind] for kind in kinds])


@check(
    "what is well stays as it is",
    points=3,
    reason="The file is somebody's: what you do not know is there for a reason, and the order is theirs.",
    about="mend",
)
def test_kept(submission: Submission, rng: random.Random) -> None:
    desk = Desk(submission, rng)
    for host in HOSTS:
        entry = desk.good(host, disabled=False, timeout=rng.randint(1, 99), env={"UNITS": word(rng)})
        kind = {"type": "sse"} if HOSTS[host]["typed"] else {}
        remote = {"note": word(rng), "url": f"https://{word(rng)}.example/mcp", **kind}
        whole: Json = {"zoom": 2, HOSTS[host]["key"]: {"z": entry, "a": remote, "m": desk.good(host)}, "auto": [1]}
        desk.mended(host, whole, whole, [])
        line = {"notes": word(rng), **entry, "command": f"{desk.program} -v"}
        desk.entry(host, line, {**line, "command": desk.program, "args": ["-v", *entry["args"]]}, "line")
        bare: list[Json] = [{}, {"theme": word(rng)}, {HOSTS[host]["key"]: {}}]
        for empty in bare:
            found = submission.call("mend", HOSTS[host], empty, desk.machine)
            expect(found["told"], [], f"what is told about {empty}")
            expect({**found["whole"], HOSTS[host]["key"]: {}}, {**empty, HOSTS[host]["key"]: {}}, f"mending {empty}")


@check(
    "servers under another host's key are found",
    points=2,
    reason="The host reads its own member, and says nothing of the rest. In a shared file that is no mistake.",
    about="mend",
)
def test_key(submission: Submission, rng: random.Random) -> None:
    desk = Desk(submission, rng)
    for host, facts in HOSTS.items():
        for other in KEYS:
            if other == facts["key"]:
                continue
            servers = {desk.name: desk.good(host), word(rng): {**desk.good(host), "args": "-v"}}
            whole = {"first": 1, other: servers, "last": word(rng)}
            second = list(servers)[1]
            right = {**servers, second: {**servers[second], "args": ["-v"]}}
            wanted = {"first": 1, facts["key"]: right, "last": whole["last"]}
            desk.mended(host, whole, wanted, [["", "key"], [second, "args"]])
            both = {other: {"theirs": {"command": word(rng)}}, facts["key"]: {desk.name: desk.good(host)}}
            desk.mended(host, both, both, [])


@check(
    "lines become a command and its arguments",
    points=4,
    reason="No shell reads the file: each word has to stand for itself. And a path with a blank in it is one word.",
    about="mend_entry",
)
def test_line(submission: Submission, rng: random.Random) -> None:
    desk = Desk(submission, rng)
    a, b, c = (word(rng) for _ in range(3))
    for host in HOSTS:
        good = desk.good(host)
        desk.entry(host, {**good, "args": f"--x '{a} {b}'  {c}"}, {**good, "args": ["--x", f"{a} {b}", c]}, "args")
        line = {**good, "command": f'{desk.program} "{a} {b}" {c}'}
        desk.entry(host, line, {**good, "args": [f"{a} {b}", c, *good["args"]]}, "line")
        quoted = {**good, "command": f"'{desk.spaced}' {a}"}
        desk.entry(host, quoted, {**good, "command": desk.spaced, "args": [a, *good["args"]]}, "line")
        both = {**line, "args": f"{b} '{a}'"}
        desk.entry(host, both, {**good, "args": [f"{a} {b}", c, b, a]}, "line", "args")
        bare = {key: value for key, value in line.items() if key != "args"}
        desk.entry(host, bare, {**bare, "command": desk.program, "args": [f"{a} {b}", c]}, "line")
        desk.entry(host, {**good, "command": desk.spaced}, {**good, "command": desk.spaced})


@check(
    "a program that is not there is told",
    points=1,
    reason="What was meant only its author knows. To guess is to start something else.",
    about="mend_entry",
)
def test_command(submission: Submission, rng: random.Random) -> None:
    desk = Desk(submission, rng)
    for host in HOSTS:
        for command in (word(rng), f"{word(rng)} {desk.program}", f"/opt/{word(rng)} {word(rng)}"):
            entry = {**desk.good(host), "command": command}
            desk.entry(host, entry, entry, "command")


@check(
    "relative paths get whole, where there is such a file",
    points=2,
    reason="The host starts in a folder of its own. What is no file here is a word for the server, whatever its end.",
    about="mend_entry",
)
def test_relative(submission: Submission, rng: random.Random) -> None:
    desk = Desk(submission, rng)
    for host in HOSTS:
        words = [desk.machine["files"][2], f"https://{word(rng)}.example/{desk.script}", f"{word(rng)}.py", "-q"]
        rng.shuffle(words)
        entry = desk.good(host, args=words)
        desk.entry(host, entry, entry)
        for mine in ([desk.script], [desk.deep], [desk.script, desk.deep]):
            whole = [f"{desk.folder}/{each}" for each in mine]
            desk.entry(host, {**entry, "args": [*words, *mine]}, {**entry, "args": [*words, *whole]}, "relative")
        line = {**entry, "command": f"{desk.program} {desk.script}"}
        wanted = {**entry, "args": [f"{desk.folder}/{desk.script}", *words]}
        desk.entry(host, line, wanted, "line", "relative")


@check(
    "a type is added where the host wants one",
    points=1,
    reason="VS Code wants to be told what kind of server it is; other hosts have no such member.",
    about="mend_entry",
)
def test_type(submission: Submission, rng: random.Random) -> None:
    desk = Desk(submission, rng)
    for host, facts in HOSTS.items():
        kinds = ["type"] if facts["typed"] else []
        for entry, kind in (
            ({"command": desk.program}, "stdio"),
            ({"url": f"https://{word(rng)}.example", "note": word(rng)}, "http"),
        ):
            desk.entry(host, entry, {**entry, **({"type": kind} if kinds else {})}, *kinds)


@check(
    "references have the form of this host",
    points=3,
    reason="In another form they are handed to the server as they stand, and it signs in with a dollar and braces.",
    about="mend_entry",
)
def test_reference(submission: Submission, rng: random.Random) -> None:
    desk = Desk(submission, rng)
    for host, facts in HOSTS.items():
        one, two = (f"{word(rng)}_TOKEN".upper() for _ in range(2))
        for form in ("${env:NAME}", "${NAME}"):
            mine = form == facts["reference"]
            kinds = [] if mine else ["reference"]
            for table in ("env", "headers"):
                given = f"Bearer {form.replace('NAME', one)}, {form.replace('NAME', two)}!"
                right = given
                for name in (one, two):
                    right = right.replace(form.replace("NAME", name), facts["reference"].replace("NAME", name) or "?")
                right = right if facts["reference"] else given
                entry = desk.good(host, **{table: {"A": "plain", one: given, "Z": "${workspaceFolder}"}})
                wanted = {**entry, table: {**entry[table], one: right}}
                desk.entry(host, entry, wanted, *kinds)


@check(
    "secrets are referred to, or told",
    points=2,
    reason="Such files are copied about. Where the host cannot refer, somebody has to find another way, and to know.",
    about="mend_entry",
)
def test_secret(submission: Submission, rng: random.Random) -> None:
    desk = Desk(submission, rng)
    for host, facts in HOSTS.items():
        names = [f"{word(rng).upper()}_{each}" for each in ("API_KEY", "TOKEN", "SECRET", "PASSWORD")]
        env = {each: f"s3 {word(rng)}" for each in names}
        plain = {"UNITS": word(rng), "MY_TOKEN_FILE": f"/run/{word(rng)}", "HOME": word(rng)}
        entry = desk.good(host, env={**plain, **env}, headers={"X-KEY": word(rng)})
        right = {each: facts["reference"].replace("NAME", each) or env[each] for each in names}
        desk.entry(host, entry, {**entry, "env": {**plain, **right}}, *["secret"] * 4)
