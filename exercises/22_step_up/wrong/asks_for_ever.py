"""fails: stops
why: Whatever is refused is asked for again, the same as before.
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
    found, scheme, at = {}, "", 0
    while at < len(header):
        if parameter := PARAMETER.match(header, at):
            name, quoted, word = parameter.groups()
            if scheme == "bearer":
                found[name.lower()] = word if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            at = parameter.end()
        elif word := SCHEME.match(header, at):
            scheme, at = word[1].lower(), word.end()
        else:
            at += 1
    return found
