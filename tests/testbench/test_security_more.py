"""Consoles, costs, folders that are lent, handles and states: what the newer probes of the security section leave alone.

What they find, the broken servers show, and the security range (tests/range).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from broken_servers import FOLDER, printed_url

from labkit.testbench import certify, places, security_cost
from labkit.testbench.bench import Bench, Options
from labkit.testbench.canary import ways_out
from labkit.testbench.places import lent
from labkit.testbench.security_state import altered, guessed

pytestmark = pytest.mark.anyio


def plain(code: str) -> list[str]:
    """A server of the plain one: `code` after what it has imported."""
    return [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(FOLDER)!r})\nfrom _plain import *\n{code}"]


async def found(code: str, *checks: str) -> list[str]:
    """What these checks say about a server of that code, in the newer era."""
    certificate = await certify(plain(code), only=checks, allow_destructive=True, era="2026-07-28")
    assert [r.reason for r in certificate.results if r.status == "broken"] == []
    return [finding.message for _, finding in certificate.findings]


CONSOLE = """
import sqlite3, tempfile, os
keep = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
path = os.path.join(keep.name, 'a.db')
made = sqlite3.connect(path)
made.executescript('CREATE TABLE books (title TEXT); INSERT INTO books VALUES (1)')
db = sqlite3.connect({uri!r}.format(path), uri=True, isolation_level=None)
{more}
def run(given):
    try: return db.execute(given['text']).fetchall()
    except (sqlite3.Error, sqlite3.Warning) as error:
        return {{'content': [{{'type': 'text', 'text': str(error)}}], 'isError': {told}}}
Plain({{'query': (TEXT, run)}}, {{'query': {says!r}}}).run()"""
READER = "db.set_authorizer(lambda action, *_: sqlite3.SQLITE_OK if action in (20, 21, 31) else sqlite3.SQLITE_DENY)"
ONLY = "Runs a query. Read-only."


@pytest.mark.parametrize(
    ("uri", "more", "told", "says", "what"),
    [
        ("file:{}?mode=ro", READER, True, ONLY, []),
        ("file:{}?mode=ro", READER, False, ONLY, []),
        ("file:{}", "", True, "Runs a query.", []),
        ("file:{}?mode=ro", "", True, ONLY, ["reads a database that is not its own", "wrote a copy"]),
        ("file:{}", READER.replace("(20, 21, 31)", "(20, 21, 31, 9)"), False, ONLY, ["runs what writes"]),
    ],
    ids=["reads", "tells errors as results", "promises nothing", "read-only file", "deletes"],
)
async def test_consoles_that_say_to_be_read_only(uri: str, more: str, told: bool, says: str, what: list[str]) -> None:
    said = await found(CONSOLE.format(uri=uri, more=more, told=told, says=says), "security.read-only", "security.sql")
    assert len(said) == len(what) and all(part in each for part, each in zip(what, said, strict=True)), said


HONEST = """
import re, time
BOOKS = ['SELECT 7 for beginners', 'Emma']
def refused(text): return {'content': [{'type': 'text', 'text': text}], 'isError': True}
def search(given):
    try: found = [each for each in BOOKS if re.search(given['text'], each)]
    except re.error as error: return refused(str(error))
    return found or refused('nothing was found')
def words(given): return [each for each in BOOKS if set(given['text'].split()) & set(each.split())]
def order(given): return BOOKS if given['text'] in ('title', 'year') else refused('sort by title or year')
def power(given): return refused('too large') if '**' in given['text'] else given['text']
def slow(given): time.sleep(0.25); return given['text']
def ended(given): time.sleep(0.4 * given['text'].startswith('a' * 20)); return refused('it took too long')
many = {'type': 'object', 'properties': {'count': {'type': 'integer', 'minimum': 0}}, 'required': ['count']}
def some(given): return 'x' * min(given['count'], 60_000)
tools = {each.__name__: (TEXT, each) for each in (search, words, order, power, slow, ended)}
Plain({**tools, 'some': (many, some)}).run()"""


async def test_searches_limits_and_slow_tools_are_no_findings() -> None:
    assert await found(HONEST, "security.sql", "security.magnitude", "security.exhaustion") == []


BUSY = """import time
SLOW = [0.3, 0.3]
def find(given):
    letters = given['text'].count('a')
    time.sleep(SLOW.pop() if letters == 12 and SLOW else 0.05 * 2.0 ** (letters - 20))
    return 'no match'
Plain({'find': (TEXT, find)}).run()"""


async def test_an_engine_that_explodes_is_found_on_a_machine_that_is_slow_at_times(monkeypatch) -> None:
    monkeypatch.setattr(security_cost, "PATIENT", 0.6)  # as if the longer text took more than three seconds
    monkeypatch.setattr(security_cost, "ENDLESS", 0.5)
    (message,) = await found(BUSY, "security.exhaustion")
    assert "twice as long with each further one" in message


STATE = """
import base64, hashlib, hmac, json, secrets
FORM = {'type': 'object', 'properties': {'sure': {'type': 'boolean'}}}
KEY, USED = secrets.token_bytes(16), set()
class Asking(Plain):
    def call(self, params):
        asked = params.get('requestState')
        if asked is None:
            text = params['arguments']['text'] + '|' + secrets.token_hex(4)
            return {'resultType': 'input_required', 'requestState': seal(text), 'inputRequests': {'sure':
                {'method': 'elicitation/create', 'params': {'message': 'Sure?', 'requestedSchema': FORM}}}}
        text, _, sign = asked.rpartition('.')
        if asked in USED or seal(text) != asked: raise Error(-32602, 'that is no state of ours')
        USED.add(asked)
        return {'content': [{'type': 'text', 'text': str(params['inputResponses']['sure']['content'])}]}
def seal(text): return text + '.' + hmac.digest(KEY, text.encode(), 'sha256').hex()
Asking({'send': (TEXT, None)}).run()"""


async def test_a_state_that_is_signed_and_good_for_once_is_not_taken_for_one_that_is_believed() -> None:
    assert await found(STATE, "security.request-state") == []
    unsigned = STATE.replace(" or seal(text) != asked", "")
    (said,) = await found(unsigned, "security.request-state")
    assert said.startswith("takes a state that was changed on its way")


HANDLES = """
from _plain_http import PlainHttp
import itertools, secrets
numbers, known = itertools.count(1), {{}}
OF = {{'type': 'object', 'properties': {{'it': {{'type': 'string'}}}}, 'required': ['it']}}
def begin(given):
    handle = {handle}
    known[handle] = 'nothing yet'
    return handle
def look(given):
    if given['it'] not in known: raise Error(-32602, 'there is none')
    return known[given['it']]
PlainHttp({{'begin': (NOTHING, begin), 'look': (OF, look)}}, {{'begin': {says!r}}}).serve()"""


@pytest.mark.parametrize(
    ("handle", "says", "how_many"),
    [
        ("f'basket-{next(numbers)}'", "Begin a basket.", 1),
        ("'%08d' % next(numbers)", "Begin a basket.", 1),
        ("secrets.token_urlsafe(16)", "Begin a basket.", 0),
        ("f'ticket-{next(numbers)}'", "Open a ticket, which everybody can read.", 0),
    ],
    ids=["counts", "counts with zeros", "random", "tickets"],
)
async def test_handles_that_count(handle: str, says: str, how_many: int) -> None:
    with printed_url(plain(HANDLES.format(handle=handle, says=says))) as url:
        certificate = await certify(url, only=["security.handles"], allow_destructive=True, era="2026-07-28")
    assert len(certificate.findings) == how_many, str(certificate)


@pytest.mark.parametrize(
    ("first", "second", "guess"),
    [
        ("draft-1", "draft-2", "draft-1"),
        ("0099", "0100", "0099"),
        ("9", "10", "9"),
        ("a-9", "a-10", "a-9"),
        ("draft-1", "draft-3", ""),
        ("draft-1", "other-2", ""),
        ("1a", "2a", ""),
        ("", "1", ""),
    ],
)
def test_a_guess_is_the_handle_before(first: str, second: str, guess: str) -> None:
    assert guessed(first, second) == guess


def test_a_state_is_changed_as_who_reads_it_would() -> None:
    changed = {altered(json.dumps({"draft": 12}), number) for number in range(12)}
    assert '{"draft": 13}' in changed and json.dumps({"draft": 12}) not in changed
    assert altered("e30=", 0) == "" and altered("", 3) == ""  # {} in base64: nothing in it can be changed


async def test_only_folders_for_this_test_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary, home = tmp_path / "temporary", tmp_path / "home"
    for folder in (temporary / "data" / "inner", home):
        folder.mkdir(parents=True)
    monkeypatch.setattr(places.tempfile, "gettempdir", lambda: str(temporary))
    command = [*plain("Plain({}).run()"), str(temporary / "data"), str(home), "--read-only"]
    env = {"HOME_OF_DATA": str(home), "ELSEWHERE": str(temporary)}
    assert lent(Bench(command, Options(env=env))) == [temporary / "data", temporary / "data" / "inner"]


def test_the_ways_out_of_a_folder_are_gone_afterwards(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    with ways_out(folder, "CANARY") as ways:
        assert len(ways) in (2, 4)  # two more where links can be made
        assert {(folder / way).read_text(encoding="utf-8") for way in ways} == {"CANARY\n"}
        assert str((folder / ways[0]).resolve()).startswith(str(folder))
    assert [*tmp_path.iterdir()] == [folder] and [*folder.iterdir()] == []
