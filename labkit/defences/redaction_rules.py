"""What a secret looks like: card numbers, account numbers, national ids, keys and tokens. Pure functions of a text.

Numbers count only with a check that a number made up at random fails mostly: Luhn and an issuer's beginning for cards,
length and modulo 97 for IBANs, check digits or the very form for ids. `RULES` says what each rule is for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from labkit.patterns.masking import JWT, KNOWN, PRIVATE_KEY, SAID, sounds_secret

RULES = {
    "field": "a member whose name says that it holds a credential, a card or a national id",
    "card": "a card number: an issuer's beginning, its length, Luhn's check digit",
    "iban": "a bank account: a country, its length, the check digits (modulo 97)",
    "id": "a national id: SSN (USA), CPF (Brazil), DNI and NIE (Spain), National Insurance number (UK)",
    "token": "a key or token by its form: JWT, those of known services, what follows Bearer or Basic, users of URLs",
    "private key": "a private key in PEM",
    "named": "password=..., api_key: ... within a text",
    "known": "a text that was given as secret",
    "email": "an e-mail address",
}
DEFAULT = frozenset(RULES) - {"email"}
"""Mail addresses are what many tools are there to tell."""


class Found(NamedTuple):
    """Where something is to be hidden, and by which rule."""

    start: int
    end: int
    rule: str


_FIELD_WORDS = re.compile(
    r"(?:credit|debit)_?card(?!s?_?(?:type|brand|count|limit))|card_?(?:number|no|num)\b|\biban\b|social_?security"
    r"|national_?id\b|tax_?id\b"
    r"|(?:password|passwd|passphrase|secrets?|token)(?:_?hash)?[0-9]{0,3}$|(?:secret|access|auth|account|session)_?key$"
    r"|^pass_word$|(?<=.)_pass$|(?:recovery|backup)_?codes?$|^mnemonic$|^bearer$"
)
_HARMLESS = re.compile(
    r"(?:next|page|continuation|sync|cursor|max|count)_?tokens?$|^signatures?$|^auth(?:entication|orization)?_?"
    r"(?:type|method|scheme|required|url|endpoint|servers?)$|_(?:url|type|expires?(?:_at|_in)?|policy|count|length)$"
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def hides(name: str) -> bool:
    """Whether a member of this name is hidden for its name."""
    written = _CAMEL.sub("_", name[:200]).replace("-", "_").replace(" ", "_").lower()
    if _HARMLESS.search(written):
        return False
    return sounds_secret(name) or bool(_FIELD_WORDS.search(written))


# -- numbers --------------------------------------------------------------------------------------------------------

_DIGITS = re.compile(r"[0-9]+(?:[ \t./_\-\n\r]{1,3}[0-9]+)*+")
_SHAPES = frozenset({(4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3), (8, 8)})
_ISSUERS = re.compile(
    r"(?:4[0-9]{15}|5[1-5][0-9]{14}|2(?:22[1-9]|2[3-9][0-9]|[3-6][0-9]{2}|7[01][0-9]|720)[0-9]{12}"
    r"|3[47][0-9]{13}|3(?:0[0-5]|[68][0-9])[0-9]{11}|6(?:011|5[0-9]{2}|4[4-9][0-9])[0-9]{12}|35(?:2[89]|[3-8][0-9])[0-9]{12}"
    r"|62[0-9]{14,17})"
)


def luhn(digits: str) -> bool:
    """Whether the last digit is the one that Luhn's rule gives."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 * (value > 9)
    return total % 10 == 0


def is_card(digits: str) -> bool:
    """Whether these digits can be a card number."""
    return bool(_ISSUERS.fullmatch(digits)) and luhn(digits)


def cards(text: str) -> Iterator[Found]:
    """Card numbers, also in groups and over the ends of lines; not those that are part of a longer number."""
    for run in _DIGITS.finditer(text):
        if len(run[0]) < 13:
            continue
        groups = list(re.finditer(r"[0-9]+", run[0]))
        taken = [g for at, g in enumerate(groups) if _stands_alone(text, run.start(), g, at, len(groups))]
        lengths = [len(g[0]) for g in taken]
        for first, last in _windows(text, run.start(), taken, lengths):
            if is_card("".join(g[0] for g in taken[first:last])):
                yield Found(run.start() + taken[first].start(), run.start() + taken[last - 1].end(), "card")


def _stands_alone(text: str, base: int, group: re.Match[str], at: int, count: int) -> bool:
    """Whether no letters are joined to a group of digits that make it a part of a hash or of an identifier."""
    start, end = base + group.start(), base + group.end()
    before = re.search(r"[A-Za-z0-9]{0,40}\Z", text[max(0, start - 40) : start]) if at == 0 else None
    after = re.match(r"[A-Za-z0-9]{0,40}", text[end : end + 40]) if at == count - 1 else None
    return not any(near and _is_hex(near[0]) for near in (before, after))


def _is_hex(near: str) -> bool:
    return bool(near) and not re.search(r"[g-zG-Z]", near)


def _windows(text: str, base: int, groups: list[re.Match[str]], lengths: list[int]) -> Iterator[tuple[int, int]]:
    """Which neighbouring groups may be one number: all of them, one of them, or so many as are printed on a card."""
    if 13 <= sum(lengths) <= 19:
        yield 0, len(groups)
    for at, length in enumerate(lengths):
        if length >= 13:
            yield at, at + 1
    for shape in _SHAPES:
        wide = len(shape)
        for at in range(len(lengths) - wide + 1):
            # In a table of numbers of four digits, four in a row mean nothing: a card ends where its pattern ends.
            edges = [lengths[k] for k in (at - 1, at + wide) if 0 <= k < len(lengths)]
            if tuple(lengths[at : at + wide]) == shape and shape[0] not in edges:
                yield at, at + wide


_IBAN_LENGTHS = {
    code: int(length)
    for code, length in re.findall(
        r"([A-Z]{2})([0-9]{2})",
        "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BR29BY28CH21CR22CY28CZ24DE22DK18DO28EE20EG29ES24FI18FO18FR27GB22GE22GI23"
        "GL18GR27GT28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19MR27MT31MU30"
        "NL18NO15PK24PL28PS29PT25QA29RO24RS22SA24SC31SD18SE24SI19SK24SM27ST25SV28TL23TN24TR26UA29VA22VG24XK20",
    )
}
_IBAN_START = re.compile(r"(?<![A-Za-z0-9])([A-Za-z])[ \-\n]?([A-Za-z])[ \-\n]?[0-9][ \-\n]?[0-9]")


def ibans(text: str) -> Iterator[Found]:
    """Account numbers, in groups or not: all letters large or all small, and half of it digits at least."""
    for found in _IBAN_START.finditer(text):
        length = _IBAN_LENGTHS.get((found[1] + found[2]).upper())
        if length is None:
            continue
        taken, at = "", found.start()
        while at < len(text) and len(taken) < length:
            if text[at].isalnum() and text[at].isascii():
                taken += text[at]
            elif text[at] not in " -.\n\r\t" or at - found.start() > 3 * length:
                break
            at += 1
        whole = len(taken) == length and not (text[at : at + 1].isalnum() and text[at : at + 1].isascii())
        digits = sum(c.isdigit() for c in taken[4:])
        if not whole or 2 * digits < length - 4 or not (taken.isupper() or taken.islower()):
            continue
        if int("".join(str(int(c, 36)) for c in taken[4:] + taken[:4])) % 97 == 1:
            yield Found(found.start(), at, "iban")


_IDS = re.compile(
    r"(?<![\w.-])(?P<ssn>(?!000|666|9)[0-9]{3}-(?!00)[0-9]{2}-(?!0000)[0-9]{4})(?![\w-])"
    r"|(?i:\b(?:ssn|social security(?: (?:number|no\.?))?))[\"'\s:=#]{1,6}(?P<said>[0-9]{9})(?![0-9])"
    r"|(?<![\w.-])(?P<cpf>[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2})(?![\w-])"
    r"|(?i:\b(?:dni|nie|nif))[\"'\s:=.#]{1,6}(?P<dni>[XYZ]?[0-9]{7,8}-?[A-Z])\b"
    r"|(?<![\w-])(?P<nino>[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] [0-9]{2} [0-9]{2} [0-9]{2} [A-D])(?![\w-])"
)


def ids(text: str) -> Iterator[Found]:
    """National ids, in the form in which they are written, or behind their name."""
    for found in _IDS.finditer(text):
        kind = found.lastgroup or ""
        if (kind == "cpf" and not _cpf(found[kind])) or (kind == "dni" and not _dni(found[kind])):
            continue
        yield Found(*found.span(kind), "id")


def _cpf(written: str) -> bool:
    digits = [int(c) for c in written if c.isdigit()]

    def check(count: int) -> int:
        return sum(d * (count + 1 - k) for k, d in enumerate(digits[:count])) * 10 % 11 % 10

    return len(set(digits)) > 1 and check(9) == digits[9] and check(10) == digits[10]


def _dni(written: str) -> bool:
    body = written.replace("-", "").upper()
    number = body[:-1].translate("".maketrans("XYZ", "012"))
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23] == body[-1]


# -- tokens ---------------------------------------------------------------------------------------------------------

_TOKENS = re.compile(
    rf"(?P<jwt>{JWT})|(?P<known>{KNOWN})|(?P<user>(?<=://)[^\s/?#]{{1,256}}(?=@))"
    r"|(?P<chip>\b(?:gh[ur]_\w{10,}|xox[cder]-[\w-]{10,}|pypi-[\w-]{16,}|dckr_pat_[\w-]{10,}|hvs\.[\w-]{16,}"
    r"|gocspx-[\w-]{10,}|dop_v1_[a-f0-9]{16,}|age-secret-key-1[a-z0-9]{20,}))"
    r"|(?<=hooks\.slack\.com/services/)(?P<hook>[\w/]{20,})"
    r"|\b(?:set-)?cookie2?\s{0,4}:\s{0,4}(?P<cookie>[^\r\n=]{1,80}=[^\r\n]{4,})"
    r"|\bauthorization\s{0,4}:\s{0,4}token\s{1,4}(?P<plain>[\w.~+/=-]{8,})"
    r"|\b(?P<account>(?<=accountkey=)[A-Za-z0-9+/=]{8,})"
    r"|(?P<more>\b(?:AIza[\w-]{30,}|ASIA[A-Z0-9]{16}|npm_[A-Za-z0-9]{20,}|hf_[A-Za-z0-9]{20,}|SG\.[\w-]{16,}\.[\w-]{16,}"
    r"|ya29\.[\w-]{20,}|xapp-[\w-]{10,}|whsec_[\w+/=]{16,}|sk_(?:live|test)_\w{10,}))"
    r"|\bbearer\s{1,4}(?P<bearer>[\w.~+/=-]{6,})|\bbasic\s{1,4}(?P<basic>[A-Za-z0-9+/]{8,}={0,2})",
    re.IGNORECASE,
)
_TOKEN_HINTS = (
    "eyj", "sk-", "sk_", "pk-", "pk_", "rk-", "rk_", "ghp", "gho", "ghs", "github_pat", "glpat", "xox", "xapp-", "akia",
    "asia", "://", "aiza", "npm_", "hf_", "sg.", "ya29.", "whsec_", "bearer", "basic", "ghu_", "ghr_", "pypi-",
    "dckr_pat_", "hvs.", "gocspx-", "dop_v1_", "age-secret", "hooks.slack", "cookie", "authorization", "accountkey=",
)  # fmt: skip
"""No token without one of these: most texts have none, and that is found out in a hundredth of the time."""
_PEM = re.compile(
    PRIVATE_KEY + r"|-----BEGIN PGP PRIVATE KEY BLOCK-----[\s\S]*?(?:-----END PGP PRIVATE KEY BLOCK-----|\Z)"
    r"|---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----[\s\S]*?(?:---- END SSH2[A-Z ]{0,30}----|\Z)"
)
_NAMED = re.compile(
    rf"(?P<name>{SAID})[\\\"'*`]{{0,4}}(?P<gap>[ \t]{{0,4}})(?P<sep>:|=>|=)[ \t]{{0,4}}"
    r"(?P<value>\\{0,3}\"[^\"\n]{1,400}\"|'[^'\n]{1,400}'|[^\s\"',;&})>]{1,400})"
    rf"|<(?P<tag>[\w:-]{{0,40}}(?:{SAID}))>(?P<inner>[^<\n]{{1,400}})</",
    re.IGNORECASE,
)
_WORDS = frozenset(
    """none null true false required optional hidden redacted string str text unknown missing invalid expired wrong
    empty bearer basic undefined masked example""".split()  # noqa: SIM905
)
_CODE = re.compile(r"(?:os|self|this|settings|config|request|env|args|process|kwargs|ctx)\.|[A-Za-z_][\w.]*[(\[]")
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,4}\b")


def tokens(text: str) -> Iterator[Found]:
    """Keys and tokens that show themselves by their form."""
    small = text.lower()
    for hint in _TOKEN_HINTS:  # a loop, not any(...): every text comes by here
        if hint in small:
            break
    else:
        return
    for found in _TOKENS.finditer(text):
        kind = found.lastgroup or ""
        value = found[kind]
        if kind == "bearer" and len(value) < 20 and not re.search(r"[0-9]", value):
            continue  # `bearer authentication`
        if kind == "basic" and not re.search(r"[A-Z0-9+/=]", value):
            continue
        if kind == "known" and not _mixed(value):
            continue  # `sk-learn-contrib`, `pk_customer_orders`
        yield Found(*found.span(kind), "token")


def _mixed(value: str) -> bool:
    """Whether it is more than words with hyphens."""
    return bool(re.search(r"[0-9]", value)) or bool(re.search(r"[a-z][A-Z]", value))


def private_keys(text: str) -> Iterator[Found]:
    """Private keys, to their end, or to that of the text."""
    if "---- BEGIN" not in text and "-----BEGIN" not in text:
        return
    for found in _PEM.finditer(text):
        yield Found(*found.span(), "private key")


def named(text: str) -> Iterator[Found]:
    """What a text calls a password, a token or a key."""
    for found in _NAMED.finditer(text):
        which = "inner" if found["inner"] else "value"
        if _is_value(found[which], found["name"] or "", bool(found["gap"]) or found["sep"] == ":", which == "inner"):
            yield Found(*found.span(which), "named")


def _is_value(written: str, name: str, loose: bool, tagged: bool) -> bool:
    """Whether that is a value, not a word, a variable or code."""
    value = written.strip("\\\"'`* ")
    if len(value) < 4 or value.lower() in _WORDS or value.lower() == name.lower() or value[0] in "[<{$(*":
        return False
    if written[0] in "\"'\\" or tagged:
        return " " not in value or len(value) > 20
    return not (_CODE.match(value) or (loose and re.fullmatch(r"[A-Za-z_.|?]+", value)))


_MARKS = re.compile(r"[0-9:=<@_\-]|[bB][eEaA][aAsS][rRiI]|(?i:eyj|akia|asia|aiza|sg\.)")


def is_plain(text: str) -> bool:
    """Whether no rule can find anything in a text: no digit, no mark, no beginning of a token."""
    return not _MARKS.search(text)


def emails(text: str) -> Iterator[Found]:
    """Mail addresses."""
    for found in _EMAIL.finditer(text):
        yield Found(*found.span(), "email")


FINDERS = {
    "card": cards, "iban": ibans, "id": ids, "token": tokens, "private key": private_keys, "named": named,
    "email": emails,
}  # fmt: skip
"""The rules that look at texts."""
