"""How log lines and audit records are written: one object of JSON, and the time in it. Each call pays for it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic_core import PydanticSerializationError, to_json

_second = (0, "")


def timestamp() -> str:
    """The time in UTC, to the millisecond. Written out once a second: records come much closer than that."""
    global _second
    now = time.time()
    whole = int(now)
    kept, text = _second
    if kept != whole:
        text = datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        _second = (whole, text)
    return f"{text}.{int((now - whole) * 1000):03}Z"


def encoded(record: Mapping[str, Any]) -> bytes:
    """A record as JSON, in UTF-8, on one line."""
    try:
        return to_json(record, inf_nan_mode="strings")  # five times as fast as json, and NaN is no JSON
    except PydanticSerializationError:  # half of a surrogate pair is no UTF-8: json writes it as an escape
        return json.dumps(record, separators=(",", ":"), default=str).encode()
