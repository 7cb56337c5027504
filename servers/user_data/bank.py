"""An external API, called with the credentials of the user: what a user may see is decided there, not here."""

from __future__ import annotations

import re
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx2

TIMEOUT = 5.0


class BankError(Exception):
    """The bank did not give what was asked for; the message says why and what to do."""


class BankApi:
    """One client, and its connections, for all users. Nothing of a user stays in it."""

    def __init__(self, url: str) -> None:
        # A cookie of one user's session would go out with the next user's request, and may count more than the token.
        keeps_nothing = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
        self._http = httpx2.AsyncClient(base_url=url, timeout=TIMEOUT, cookies=keeps_nothing, follow_redirects=False)

    async def accounts(self, token: str) -> list[dict[str, Any]]:
        return (await self._get("/accounts", token))["accounts"]

    async def account(self, token: str, account_id: str) -> dict[str, Any]:
        # Part of a path: "../" and "?" would make another request of it.
        if not re.fullmatch(r"[A-Z]-[0-9]{1,9}", account_id):
            raise BankError(f"{account_id!r} is not an account: write it as list_accounts does, such as A-100")
        return await self._get(f"/accounts/{account_id}", token, missing=f"you have no account {account_id}")

    async def close(self) -> None:
        await self._http.aclose()

    async def _get(self, path: str, token: str, missing: str = "it is not there") -> Any:
        try:
            answer = await self._http.get(path, headers={"Authorization": f"Bearer {token}"})
        except httpx2.HTTPError as error:
            raise BankError(f"the bank does not answer ({type(error).__name__}): try again later") from error
        if answer.status_code == 401:
            raise BankError("the bank does not know you any more: link it again")
        if answer.status_code == 404:
            raise BankError(f"{missing}: list_accounts shows what there is")
        if answer.status_code != 200:
            raise BankError(f"the bank answers with HTTP {answer.status_code}: try again later")
        return answer.json()
