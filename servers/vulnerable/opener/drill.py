"""The drill of class 8: a hostile server's OAuth metadata, and what a bridge does with the address in it.

Nothing is opened: `start` is replaced by a recorder. Where a shell would have been asked, the line is read as a POSIX
shell does it, to say which programs it would have run. The one attack that is really run prints a sum.
"""

import os
import shlex
from collections.abc import Iterator

from labkit.range import Target

PARAMS = {
    "response_type": "code",
    "client_id": "bridge",
    "state": "a b&c",
    "resource": "https://files.range.example/mcp",
}

# CANARY stands for a text that nobody else knows.
ATTACKS = (
    # For a shell, the address is not over where it seems to be.
    "https://login.range.example/a;echo CANARY;",
    "https://login.range.example/a&echo CANARY&",
    "https://login.range.example/a|echo CANARY|",
    "https://login.range.example/a&&echo CANARY;",
    "https://login.range.example/a\necho CANARY\n",
    "https://login.range.example/$(echo CANARY)",
    "https://login.range.example/`echo CANARY`",
    "https://login.range.example/${IFS}$(echo CANARY)",
    "https://login.range.example/?a=$(echo CANARY)",
    "https://login.range.example/'$(echo CANARY)'",
    'https://login.range.example/"$(echo CANARY)"',
    "https://$(echo CANARY)@login.range.example/",
    # No pages of the web: the opener hands them to other programs, or to a page that is open.
    "javascript:alert('CANARY')",
    "JavaScript://login.range.example/%0aalert('CANARY')",
    "java\tscript:alert('CANARY')",
    "\x01javascript:alert('CANARY')",
    " javascript:alert('CANARY')",
    "data:text/html,CANARY",
    "vbscript:msgbox('CANARY')",
    "file:///etc/CANARY",
    "FILE:///etc/CANARY",
    "file://login.range.example/share/CANARY",
    "\\\\login.range.example\\share\\CANARY",
    "//login.range.example/CANARY",
    "/etc/CANARY",
    "CANARY",
    "--CANARY",
    "-",
    "",
    "ms-msdt:/id CANARY",
    "search-ms:query=CANARY",
    "ssh://-oProxyCommand=CANARY/",
    "ftp://login.range.example/CANARY",
    "httpsx://login.range.example/CANARY",
    "view-source:https://login.range.example/CANARY",
    "https:CANARY",
    "https:///CANARY",
    "https://",
    # Pages of the web that are not what they look like, or can be read and changed on the way.
    "http://login.range.example/CANARY",
    "http://127.0.0.1.evil.example/CANARY",
    "http://localhost.evil.example/CANARY",
    "http://localhost@evil.example/CANARY",
    "https://login.range.example@evil.example/CANARY",
    "https://login.range.example:x@evil.example/CANARY",
    "https://login.range.example:99999999/CANARY",
    "https://login.range.example/CANARY\r\nX: y",
    "https://login.range.example/CANARY\x00",
    " https://login.range.example/CANARY",
    "https://login.range.example/a CANARY",
)
# Pages of the web, as long as no shell reads them.
FOR_A_SHELL = (
    "https://login.range.example/a;CANARY;",
    "https://login.range.example/a&CANARY&",
    "https://login.range.example/a|CANARY|",
    "https://login.range.example/$(CANARY)",
    "https://login.range.example/?a=$(CANARY)",
    "https://login.range.example/a'$(CANARY)",
)
LEGITIMATE = (
    "https://login.range.example/authorize",
    "https://login.range.example:8443/tenants/lab/authorize",
    "https://login.range.example/authorize?tenant=lab",
    "http://127.0.0.1:8400/authorize",
    "http://localhost:8400/authorize",
    "http://[::1]:8400/authorize",
)
NEAR_MISSES = (
    "HTTPS://LOGIN.RANGE.EXAMPLE/authorize",
    "https://login.range.example/authorize?next=javascript:void(0)",
    "https://login.range.example/authorize?a=1&b=$x;c=d",
    "https://login.range.example/it's(not)an*attack!",
    "https://login.range.example/%3Becho%20CANARY%3B",
    "https://login.range.example/a%0aecho%20CANARY",
    "https://login.range.example/~lab/file:authorize",
    "https://file.range.example/authorize",
    "https://javascript.range.example/authorize",
    "https://login.range.example/a@b",
    "https://xn--bcher-kva.example/authorize",
    "https://192.0.2.7/authorize",
    "https://127.0.0.1/authorize",
    "https://login.range.example",
)


def shell_runs(line: str) -> list[str]:
    """The commands of a line that a POSIX shell would run besides the first, and what it would compute inside."""
    words = shlex.shlex(line.replace("\n", ";"), posix=True, punctuation_chars=";&|")
    words.whitespace_split, words.commenters = True, ""
    found, current = [list[str]()], 0
    try:
        for word in words:
            if set(word) <= set(";&|"):
                found.append([])
                current += 1
            else:
                found[current].append(word)
    except ValueError:  # a quote that is not closed: the shell reports it and runs nothing
        return []
    more = [" ".join(words) for words in found[1:] if words]
    return [*more, *substituted(line)]


def substituted(line: str) -> Iterator[str]:
    """What stands in $( ) or between backticks, outside of single quotes."""
    inside = False
    for at, character in enumerate(line):
        if character == "'":
            inside = not inside
        elif not inside and line.startswith("$(", at):
            yield line[at + 2 :].partition(")")[0]
        elif not inside and character == "`" and line[:at].count("`") % 2 == 0:
            yield line[at + 1 :].partition("`")[0]


def tried(target: Target, endpoint: str) -> tuple[str, list[object], str]:
    """What became of an address: the URL, what was started, and the refusal."""
    started: list[object] = []
    module = target.module()
    try:
        url = module.sign_in(
            {"authorization_endpoint": endpoint.replace("CANARY", target.canary)}, PARAMS, started.append
        )
    except module.Refused as refused:
        return "", started, str(refused) or "refused"
    except Exception as error:
        return "", started, f"{type(error).__name__}: {error}"
    return str(url), started, ""


async def attack(target: Target) -> list[str]:
    got: list[str] = []
    for endpoint in ATTACKS + FOR_A_SHELL:
        for command in tried(target, endpoint)[1]:
            runs = shell_runs(command) if isinstance(command, str) else []
            lines = [f"a shell runs {each!r}" for each in runs if target.canary in each]
            shown = endpoint.replace("CANARY", target.canary)
            got += (
                lines
                if lines or endpoint in FOR_A_SHELL
                else [f"the opener is given {shown!r} in the run of {target.canary}"]
            )
    if os.name == "posix":
        conn = await target.connect()
        page = f"https://login.range.example/;echo {target.canary}-$((6*7));"
        said = (await conn.call("connect_account", authorization_endpoint=page)).text or ""
        got += [
            f"the shell has computed: {line}" for line in said.splitlines() if line.startswith(f"{target.canary}-42")
        ]
    return got


def opened(target: Target, endpoints: tuple[str, ...]) -> list[str]:
    """Which addresses are not opened as they are, a sentence each."""
    wrong: list[str] = []
    for endpoint in endpoints:
        url, started, refusal = tried(target, endpoint)
        page = endpoint.replace("CANARY", target.canary)
        if refusal:
            wrong.append(f"{page!r} is refused: {refusal[:100]}")
        elif len(started) != 1 or not url.startswith(page) or "client_id=bridge" not in url:
            wrong.append(f"{page!r}: started {started!r}, returned {url!r}")
        elif isinstance(started[0], list) and url not in started[0]:
            wrong.append(f"{page!r}: the opener is given {started[0][-1]!r}, and not {url!r}")
    return wrong


async def legitimate(target: Target) -> list[str]:
    wrong = opened(target, LEGITIMATE)
    conn = await target.connect()
    answer = await conn.call("connect_account", authorization_endpoint=LEGITIMATE[0])
    if not (answer.text or "").startswith(f"opened: {LEGITIMATE[0]}"):
        wrong.append(f"connect_account does not open {LEGITIMATE[0]}: {answer.text!r}")
    return wrong


async def near_misses(target: Target) -> list[str]:
    return opened(target, NEAR_MISSES)
