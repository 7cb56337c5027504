"""Secrets from a server with the HTTP API of HashiCorp Vault: KV version 2, and credentials that are leased.

    vault = Vault("https://vault.example:8200", token)          # token: a text, a Secret, or where to ask for one
    secrets = Secrets(vault)
    await secrets.get("bank_api_key")                           # GET /v1/secret/data/bank_api_key, its field `value`
    login = await vault.lease("database/creds/reader")          # made for this server, with an end
    await vault.renew(login); await vault.revoke(login); await vault.close()

API: developer.hashicorp.com/vault/api-docs, pages secret/kv/kv-v2, auth/token and system/leases. A token goes to the
address that was given, and to no other: redirects are not followed, and plain HTTP is for this machine only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Self, cast
from urllib.parse import quote, urlsplit

import httpx2

from labkit.defences.loopback import is_loopback
from labkit.defences.secrets import Secret, SecretNotFoundError, SecretUnavailableError
from labkit.errors import LabError

Token = str | Secret | Callable[[], Awaitable[Secret]]


class VaultError(LabError):
    """A Vault that cannot be used as it was given."""


class Vault:
    """One Vault. `mount` is that of a KV engine, version 2, and `field` the member of its secrets that is meant."""

    def __init__(
        self,
        url: str,
        token: Token,
        *,
        mount: str = "secret",
        field: str = "value",
        timeout: float = 5.0,
        client: httpx2.AsyncClient | None = None,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(url)):
            raise VaultError(f"A token is not sent to {parts.scheme}://{parts.hostname}: use https.")
        if parts.username or parts.password:
            raise VaultError("The address of a Vault has a user in it: give the token by itself.")
        self._url, self._mount, self._field = url.rstrip("/"), mount, field
        self._token: Token = Secret(token, name="token") if isinstance(token, str) else token
        self._client = client or httpx2.AsyncClient(timeout=timeout, follow_redirects=False, trust_env=False)

    async def fetch(self, name: str) -> Secret:
        """The newest version of a secret. Raises SecretNotFoundError, SecretUnavailableError."""
        answer = await self._ask("GET", f"{self._mount}/data/{_path(name)}")
        data = _object(answer.get("data"))
        text = _object(data.get("data")).get(self._field)
        if not isinstance(text, str):
            raise SecretNotFoundError(f"The secret {name} in the Vault has no text in its field {self._field!r}.")
        return Secret(text, name=name, version=str(_object(data.get("metadata")).get("version", "")))

    async def lease(self, path: str, field: str = "password") -> Secret:
        """A credential that is made anew, such as `database/creds/ROLE`, and ends. Raises like `fetch`."""
        answer = await self._ask("GET", _path(path))
        text, lasts = _object(answer.get("data")).get(field), answer.get("lease_duration")
        if not isinstance(text, str) or not isinstance(lasts, int | float):
            raise SecretNotFoundError(f"The Vault gives nothing leased with a text {field!r} at {path}.")
        return Secret(text, name=path, lasts=float(lasts) or None, lease=str(answer.get("lease_id", "")))

    async def renew(self, secret: Secret, seconds: float | None = None) -> Secret:
        """The same secret with more time; the Vault may give less than was asked for. Raises like `fetch`."""
        wanted: dict[str, Any] = {"lease_id": secret.lease}
        if seconds is not None:
            wanted["increment"] = int(seconds)
        answer = await self._ask("PUT", "sys/leases/renew", wanted)
        lasts = float(answer.get("lease_duration") or 0)
        return Secret(secret.reveal(), name=secret.name, version=secret.version, lasts=lasts, lease=secret.lease)

    async def revoke(self, secret: Secret) -> None:
        """End a lease now. Raises like `fetch`."""
        await self._ask("PUT", "sys/leases/revoke", {"lease_id": secret.lease})

    async def renew_token(self) -> float:
        """Give the token of this server more time; how many seconds it has. Raises like `fetch`."""
        answer = await self._ask("POST", "auth/token/renew-self", {})
        return float(_object(answer.get("auth")).get("lease_duration") or 0)

    async def close(self) -> None:
        """End the connections."""
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        token = await self._token() if callable(self._token) else self._token
        sent = await self._send(method, path, body, token if isinstance(token, Secret) else Secret(token))
        if isinstance(sent, str):
            raise SecretUnavailableError(f"The Vault gives no answer to {path} that can be used: {sent}. Is it up?")
        status, found = sent
        if status == 404:
            raise SecretNotFoundError(f"The Vault has nothing at {path}.")
        if status == 403:
            raise SecretUnavailableError(f"The Vault does not give out {path}: the token has ended, or may not.")
        if not 200 <= status < 300:
            raise SecretUnavailableError(f"The Vault answers {path} with HTTP {status}.")
        return found

    async def _send(
        self, method: str, path: str, body: Mapping[str, Any] | None, token: Secret
    ) -> tuple[int, dict[str, Any]] | str:
        """Status and object, or what went wrong.

        Nothing is raised here: a traceback that shows variables would show the token, and the exceptions of the client
        hold the request.
        """
        headers = {"X-Vault-Token": token.reveal(), "X-Vault-Request": "true"}
        try:
            where = f"{self._url}/v1/{path}"
            # Said here as well: a client that was given may follow redirects, and would take the token along.
            answer = await self._client.request(method, where, headers=headers, json=body, follow_redirects=False)
            return answer.status_code, _object(answer.json() if answer.content else {})
        except (httpx2.HTTPError, ValueError) as error:
            return type(error).__name__

    def __repr__(self) -> str:
        return f"<vault at {self._url}>"


def _path(name: str) -> str:
    """A path below /v1. Raises SecretNotFoundError for one that leads elsewhere."""
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise SecretNotFoundError(f"{name[:60]!r} is no path of a secret.")
    return "/".join(quote(part, safe="") for part in parts)


def _object(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
