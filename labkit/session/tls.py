"""TLS with a CA of one's own and a client certificate: what a client is told, and what a failed handshake means.

    await lab.connect("https://hr.internal:8443/mcp", tls={"ca": "ca.pem", "cert": "me.pem", "key": "me.key"})

With a certificate of its own a client proves who it is before the first byte of HTTP (mutual TLS). OpenSSL says in
capitals what went wrong; `explained` says what to do.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from labkit.errors import ConnectError, did_you_mean


@dataclass(frozen=True)
class Tls:
    """Files in PEM form. They are read whenever a client connects: one that is renewed is used from then on."""

    ca: str = ""
    """The CA that the server's certificate has to be of, and no other; "": those that the system trusts."""
    cert: str = ""
    """What this client shows, with the certificates between it and the CA."""
    key: str = ""
    """The private key of `cert`; "" when it stands in the same file."""

    @classmethod
    def of(cls, given: Tls | Mapping[str, str | Path]) -> Tls:
        """From a mapping with `ca`, `cert` and `key`. Raises ConnectError for another key, or a key alone."""
        if isinstance(given, Tls):
            return given
        names = [each.name for each in fields(cls)]
        for name in given:
            if name not in names:
                raise ConnectError(f"tls= has no {name!r}. {did_you_mean(name, names, has='There are')}")
        made = cls(**{name: str(value) for name, value in given.items()})
        if made.key and not made.cert:
            raise ConnectError("tls= has a key and no certificate: name its file, too, as 'cert'.")
        return made

    def context(self) -> ssl.SSLContext:
        """What a connection is made with; 20-40 ms. Raises ConnectError for a file that is not there, or not fit."""
        try:
            made = ssl.create_default_context(cafile=self.ca or None)
        except (OSError, ssl.SSLError) as error:
            raise ConnectError(_unfit("ca", self.ca, error)) from error
        if self.cert:
            try:
                # Without a password OpenSSL would ask for one on the terminal.
                made.load_cert_chain(self.cert, self.key or None, password="")
            except (OSError, ssl.SSLError) as error:
                missing = self.key and not Path(self.key).is_file()
                what, file = ("key", self.key) if missing else ("cert", self.cert)
                raise ConnectError(_unfit(what, file, error)) from error
        return made


def _unfit(what: str, file: str, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"tls: there is no file {file!r} ({what}): name one in PEM form."
    if isinstance(error, ssl.SSLError):
        if error.reason == "KEY_VALUES_MISMATCH":
            return f"tls: the key is not that of the certificate {file!r}: take the two files that were made together."
        why = f"is no PEM file that can be read ({error.reason or error}), or has a password"
        if what == "cert":
            why += ", or its private key is in another file: name that, too, as key"
        return f"tls: {file!r} ({what}) {why}."
    return f"tls: {file!r} ({what}) cannot be read: {error.strerror}."


def explained(error: BaseException | None, *, shown: bool, fresh: bool = False) -> str:
    """What the end of a connection over TLS means, as the end of a sentence; "" when it has nothing to do with TLS.

    `shown`: whether the client has a certificate to show; `fresh`: whether the connection ended after the handshake
    and before a byte of an answer. In TLS 1.3 the server looks at a client's certificate only then.
    """
    found = _in_chain(error, ssl.SSLError)
    if isinstance(found, ssl.SSLCertVerificationError):
        return _VERIFIED.get(found.verify_code) or f"its certificate is not good: {found.verify_message}"
    if isinstance(found, ssl.SSLError) and not isinstance(found, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        reason = getattr(found, "reason", None) or str(found)
        return next((meaning for part, meaning in _ALERTS.items() if part in reason), f"TLS failed: {reason}")
    if not fresh:
        return ""
    # Not every server says why, and what it says can be lost with the connection: asyncio's sends no alert.
    perhaps = (
        "it does not accept the client certificate: its CA, or its dates" if shown else _ALERTS["CERTIFICATE_REQUIRED"]
    )
    return f"it closed the connection at the TLS handshake; perhaps {perhaps}"


_CA = (
    "its certificate is of no CA that is trusted here: name the CA of that server,"
    ' tls={"ca": FILE}, or --ca FILE in a terminal'
)
_VERIFIED: dict[int, str] = {
    9: "its certificate is not valid yet: compare the clocks",
    10: "its certificate has expired: whoever runs it has to renew it",
    18: _CA,
    19: _CA,
    20: _CA,
    21: _CA,
    62: "its certificate is for another name: use the name that it was issued for",
    64: "its certificate is for another address: use the name that it was issued for",
}
"""By X509_V_ERR_..., of OpenSSL's x509_vfy.h."""
_ALERTS = {
    "CERTIFICATE_REQUIRED": (
        'it wants a client certificate, and none was shown: tls={"cert": FILE, "key": FILE},'
        " or --cert FILE --key FILE in a terminal"
    ),
    "ALERT_UNKNOWN_CA": "it does not trust the CA of the client certificate: get one of a CA that it knows",
    "ALERT_CERTIFICATE_EXPIRED": "the client certificate has expired, it says: renew it",
    "ALERT_CERTIFICATE_REVOKED": "the client certificate was revoked, it says: get a new one",
    "ALERT_BAD_CERTIFICATE": "it does not accept the client certificate",
    "WRONG_VERSION_NUMBER": "it does not speak TLS: write http:// if that is meant",
}
"""By what the reason of an SSLError has in it. Of the server's alerts some come with TLSV13_, others with SSLV3_."""


def _in_chain(error: BaseException | None, kind: type[Any]) -> Any:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, kind):
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None
