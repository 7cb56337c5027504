"""fails: reads
why: The header is split at commas and equals signs; both may stand between quotes.
"""

import base64
import hashlib
import re

TOKEN = r"[\w!#$%&'*+.^`|~-]+"
PARAMETER = re.compile(rf'({TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({TOKEN}))')
SCHEME = re.compile(rf"({TOKEN})(?=\s*(?:,|$|\s{TOKEN}\s*=))")


def next_request(status, challenge, client):
    """The parameters of the next authorization request; None when there is nothing to ask for."""
    found = bearer(challenge or "")
    if status != 403 or found.get("error") != "insufficient_scope":
        return None
    asked = found["scope"].split() if "scope" in found else client["supported"]
    scopes = list(dict.fromkeys([*client["granted"], *asked]))
    if len(scopes) == len(client["granted"]):
        return None
    hashed = hashlib.sha256(client["verifier"].encode()).digest()
    return {
        "response_type": "code",
        "client_id": client["client_id"],
        "redirect_uri": client["redirect_uri"],
        "resource": client["resource"],
        "state": client["state"],
        "scope": " ".join(scopes),
        "code_challenge": base64.urlsafe_b64encode(hashed).decode().rstrip("="),
        "code_challenge_method": "S256",
    }


def bearer(header):
    """The parameters of the Bearer challenge of a header; {} when it has none."""
    found, scheme = {}, ""
    for part in header.split(","):
        head, _, value = part.strip().partition("=")
        *schemes, name = head.split() or [""]
        if schemes or "=" not in part:
            scheme = (schemes or [name])[0].lower()
        if scheme == "bearer" and "=" in part:
            found[name.lower()] = value.strip().strip('"')
    return found
