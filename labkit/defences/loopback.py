"""Is it this machine? One answer for all that listen, call out or let somebody in only there."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit


def is_loopback_host(host: str) -> bool:
    """Whether a host names this machine: an address of loopback, without brackets, or localhost in small letters."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_loopback(url: str) -> bool:
    """Whether a URL leads to this machine. Raises ValueError for what cannot be read as one."""
    return is_loopback_host(urlsplit(url).hostname or "")
