"""The page on which a person is asked, and what protects it.

Without scripts, in no frame, and with a token in the form that is also in a cookie: a page of somebody else can neither
press the button nor hide it below another one.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from urllib.parse import urlsplit

COOKIE = "lab_consent"


def page(
    *, question: str, csrf: str, client: str, redirect: str, resource: str, scopes: Sequence[str], users: Sequence[str]
) -> str:
    """The question, as HTML."""
    host = urlsplit(redirect).netloc
    choices = "".join(
        f'<label><input type="radio" name="user" value="{html.escape(user)}"{" checked" if n == 0 else ""}>'
        f" {html.escape(user)}</label> "
        for n, user in enumerate(users)
    )
    wanted = "".join(f"<li><code>{html.escape(scope)}</code></li>" for scope in scopes)
    local = (
        " - any program on this machine could be listening there" if host.startswith(("127.", "localhost", "[")) else ""
    )
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>May it?</title>
<style>body{{font:1em/1.5 sans-serif;max-width:34em;margin:3em auto}}</style>
<h1>{html.escape(client)} asks for access</h1>
<p>To <code>{html.escape(resource)}</code>, and there it may:</p><ul>{wanted}</ul>
<p>Afterwards you are sent to <code>{html.escape(host)}</code>{local}.</p>
<form method="post" action="/consent">
<input type="hidden" name="question" value="{html.escape(question)}">
<input type="hidden" name="csrf" value="{html.escape(csrf)}">
<p>You are {choices}(there are no passwords in this lab)</p>
<button name="answer" value="allow">Allow</button> <button name="answer" value="deny">Refuse</button>
</form></html>"""


def headers(redirect: str) -> dict[str, str]:
    """The headers of the page. `redirect` is where the form leads in the end."""
    parts = urlsplit(redirect)
    return {
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none';"
        f" frame-ancestors 'none'; form-action 'self' {parts.scheme}://{parts.netloc}",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }
