"""fails: reads
why: Whatever was signed is handed on, be it a list or a number: who asks for the subject stumbles.
"""

import base64
import hashlib
import hmac
import json

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256


def verify(token, keys):
    """The claims of a token that one of the keys has signed; None for any other."""
    try:
        head, claims, signature = token.split(".")
        header = read(head)
        key = keys[header["kid"]]
        if header["alg"] != key["alg"] or "crit" in header:
            return None
        if not fits(key["alg"], key, f"{head}.{claims}", unpack(signature)):
            return None
        found = read(claims)
    except (ValueError, KeyError, TypeError):
        return None
    return found


# How tokens are written, and signatures made. Leave it as it is.
def unpack(text):
    """The bytes of a part. Raises ValueError for what is none."""
    return base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)


def read(text):
    """A part as the value that it is. Raises ValueError for what is none."""
    return json.loads(unpack(text))


def fits(algorithm, key, text, signature):
    """Whether the signature of a text was made with this key, by HS256 or ES256."""
    if algorithm == "HS256":
        secret = unpack(key["k"]) if "k" in key else json.dumps(key).encode()
        return hmac.compare_digest(hmac.new(secret, text.encode(), hashlib.sha256).digest(), signature)
    if algorithm != "ES256" or len(signature) != 64:
        return False
    x, y = (int.from_bytes(unpack(key[name])) for name in "xy")
    public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    pair = utils.encode_dss_signature(int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))
    try:
        public.verify(pair, text.encode(), ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True
