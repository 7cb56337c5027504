"""Who calls: the check at the gateway's door.

    identity = Identity(config.identity)
    found = await identity.check(request.headers)          # a Principal, or a Refusal with a status and headers

Credentials are an API key (`X-API-Key`, or as a bearer token) or a JSON Web Token of the one issuer that is believed
(RFC 6750, RFC 8725); `labkit.defences.providers` has several side by side. Tokens stay here: no principal, refusal or
message has one in it, and none goes to a backend; `labkit.defences.signing` tells those who calls.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from labkit.defences.api_keys import hash_key
from labkit.defences.identity_config import IdentityConfig
from labkit.defences.principals import NOBODY, Principal, Refusal
from labkit.defences.providers import Headers, Providers

__all__ = ["NOBODY", "Headers", "Identity", "Principal", "Refusal", "hash_key"]


class Identity(Providers):
    """Checks callers by a gateway's configuration. Without one, nobody has to say who they are."""

    def __init__(
        self,
        config: IdentityConfig | None,
        *,
        clock: Callable[[], float] | None = None,
        fetch: Callable[[str], Awaitable[str | bytes]] | None = None,
    ) -> None:
        self._config = config = config or IdentityConfig(required=False)
        super().__init__(
            keys=config.keys,
            issuers=[config.jwt] if config.jwt else [],
            required=config.required,
            resource_metadata=config.resource_metadata,
            clock=clock,
            fetch=fetch,
        )
