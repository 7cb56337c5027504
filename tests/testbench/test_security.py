"""Security probes: where text can go in, what is hidden, which tokens are tried. The broken servers show the rest."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from broken_servers import FOLDER, printed_url

import labkit as lab
from labkit.testbench import certify
from labkit.testbench.security_text import HIDDEN

pytestmark = pytest.mark.anyio


def plain(code: str) -> list[str]:
    """A server of the plain one: `code` after what it has imported."""
    return [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(FOLDER)!r})\nfrom _plain import *\n{code}"]


NESTED: list[tuple[str, dict[str, Any], str, str]] = [
    ("a list", {"paths": {"type": "array", "items": {"type": "string"}}}, "given['paths'][0]", "paths[0]"),
    (
        "an object that may be left out, with a member that may not",
        {
            "file": {
                "type": "object",
                "properties": {"path": {"type": ["string", "null"]}, "lines": {"type": "integer"}},
                "required": ["lines"],
            }
        },
        "given['file']['path'] * bool(given['file']['lines'])",
        "file.path",
    ),
    (
        "objects in a list, by reference",
        {"files": {"type": "array", "items": {"$ref": "#/$defs/File"}}},
        "given['files'][0]['path']",
        "files[0].path",
    ),
]


@pytest.mark.parametrize(("properties", "path", "argument"), [each[1:] for each in NESTED], ids=[n[0] for n in NESTED])
async def test_text_in_lists_and_objects_is_probed(properties: Any, path: str, argument: str) -> None:
    file = {"type": "object", "properties": {"path": {"type": "string"}}}
    schema = {"type": "object", "properties": properties, "$defs": {"File": file}}
    code = f"""
class Reader(Plain):
    def refusal(self, schema, arguments): return None
def read(given):
    try: return open({path}, encoding='utf-8').read()
    except Exception: raise Error(-32602, 'there is no such file')
Reader({{'read': ({schema!r}, read)}}).run()"""
    command = plain(code)
    certificate = await certify(command, only=["security.traversal"], allow_destructive=True)
    ((_, finding),) = certificate.findings
    assert f"the argument {argument!r} reads a file outside" in finding.message
    # The canary is gone by now; another file shows that the line leads there.
    line = re.sub(r"/[^']*canary.txt", Path(__file__).as_posix(), finding.call.removeprefix("await "))
    async with await lab.connect(command, via="stdio") as conn:
        assert "Security probes" in (await eval(line, {"conn": conn})).text


async def test_a_console_for_sql_is_one_by_what_it_does() -> None:
    code = """
import sqlite3
db = sqlite3.connect(':memory:')
def run(given):
    try: return db.execute(given['text']).fetchall()
    except sqlite3.Error as error: return {'content': [{'type': 'text', 'text': str(error)}], 'isError': True}
Plain({'run': (TEXT, run)}).run()"""
    certificate = await certify(plain(code), only=["security.sql"], allow_destructive=True)
    assert certificate.passed and certificate.findings == [], str(certificate)


SUN, KEYCAP, KATSURAGI = "\u2600\ufe0f", "1\ufe0f\u20e3", "\u845b\U000e0100"


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        (f"sun {SUN}, one {KEYCAP}, \U0001f468\u200d\U0001f469, {KATSURAGI}", None),
        ("smile" + "".join(chr(0xE0100 + ord(letter)) for letter in "keys"), "error"),
        ("a\U000e0120", "error"),
        ("b\ufe03\ufe07", "error"),
        ("c\U000e0041", "error"),
        ("d\u2062e", "warning"),
        ("f\u180eg", "warning"),
        ("h\u3164", "warning"),
    ],
)
def test_what_is_called_hidden(text: str, severity: str | None) -> None:
    found = [grave for _, pattern, grave in HIDDEN if re.search(pattern, text)]
    assert found == ([severity] if severity else [])


@pytest.mark.parametrize(("name", "found"), [("notes", ["read_file", "git_log"]), ("My filesystem", ["git_log"])])
async def test_names_of_well_known_tools_are_told(name: str, found: list[str]) -> None:
    code = f"""
class Named(Plain):
    name = {name!r}
Named({{each: (TEXT, lambda given: 'x') for each in ('read_file', 'git_log', 'notes_read')}}).run()"""
    certificate = await certify(plain(code), only=["security.shadowed"])
    assert certificate.passed and [f.subject for _, f in certificate.findings] == [f"tool {each}" for each in found]


KEY = b"of the test"
GUARD = """
import base64, hashlib, hmac, json
from _plain_http import PlainHttp
def opened(part): return json.loads(base64.urlsafe_b64decode(part + '=='))
class Guarded(PlainHttp):
    def turned_away(self, headers, port):
        try:
            head, claims, given = headers['Authorization'].split()[1].split('.')
            made = hmac.digest({key!r}, f'{{head}}.{{claims}}'.encode(), 'sha256')
            signed = base64.urlsafe_b64encode(made).decode().rstrip('=') == given
            if not ({rule}): return 401
        except Exception: return 401
        return super().turned_away(headers, port)
Guarded({{'shout': (TEXT, lambda given: given['text'])}}).serve()"""


def token() -> str:
    """A JWT for the server, signed with KEY."""
    parts = [{"alg": "HS256", "typ": "JWT"}, {"aud": "http://127.0.0.1/mcp", "sub": "the test"}]
    text = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    made = hmac.digest(KEY, text.encode(), hashlib.sha256)
    return f"{text}.{base64.urlsafe_b64encode(made).decode().rstrip('=')}"


@pytest.mark.parametrize(
    ("rule", "let_in"),
    [
        ("signed", []),
        ("signed or opened(head)['alg'] == 'none'", ["with a token that says alg: none"]),
        ("given and opened(claims)['sub']", ["with its last letters changed", "with a token for another audience"]),
        ("opened(claims)['aud'].startswith('http://127.0.0.1') and given", ["with its last letters changed"]),
    ],
    ids=["verifies", "alg none", "reads claims", "reads the audience"],
)
async def test_tokens_that_are_not_looked_at(rule: str, let_in: list[str]) -> None:
    headers = {"Authorization": f"Bearer {token()}"}
    with printed_url(plain(GUARD.format(key=KEY, rule=rule))) as url:
        certificate = await certify(url, only=["security.credentials"], headers=headers, era="2026-07-28")
    said = [finding.message for _, finding in certificate.findings]
    assert said == [f"a request {what} is answered as if nothing were wrong" for what in let_in]
