"""Frames: what kind of thing crossed the wire, and what must never be shown."""

from __future__ import annotations

import json

import pytest

from labkit.wire import Frame, mask_headers


def frame(message: object, direction: str = "sent", **more: object) -> Frame:
    text = message if isinstance(message, str) else json.dumps(message)
    return Frame(1, 0.0, direction, text, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ({"jsonrpc": "2.0", "id": 1, "method": "ping"}, "request"),
        ({"jsonrpc": "2.0", "id": None, "method": "ping"}, "request"),
        ({"jsonrpc": "2.0", "method": "notifications/initialized"}, "notification"),
        ({"jsonrpc": "2.0", "id": 1, "result": {}}, "response"),
        ({"jsonrpc": "2.0", "id": 1, "error": {"code": -32601, "message": "no"}}, "error"),
        ("Server starting...", "noise"),
        ("[1, 2]", "noise"),
        ('{"hello": 1}', "noise"),
        ("", "http"),
    ],
)
def test_kind(message: object, kind: str) -> None:
    assert frame(message).kind == kind


def test_a_text_body_of_an_http_answer_is_http_and_not_noise() -> None:
    assert frame("Accepted", "received", status=202, note="202 Accepted to POST /mcp").kind == "http"


def test_label_names_the_subject_of_the_request() -> None:
    call = frame({"id": 7, "method": "tools/call", "params": {"name": "add"}})
    answer = frame({"id": 7, "result": {"isError": True}}, "received")
    answer.request = call
    assert call.label == "tools/call add"
    assert answer.label == "tool error tools/call add"
    assert (answer.method, answer.subject) == ("tools/call", "add")


def test_a_result_that_asks_for_input_says_so() -> None:
    call = frame({"id": 7, "method": "tools/call", "params": {"name": "delete"}})
    answer = frame({"id": 7, "result": {"resultType": "input_required", "inputRequests": {}}}, "received")
    answer.request = call
    assert answer.label == "input_required tools/call delete"


def test_size_counts_bytes_not_characters() -> None:
    assert frame('"é€"').size == 7


def test_lone_surrogates_do_not_break_a_frame() -> None:
    assert frame('"\udce9"').size == 5


def test_secrets_in_headers_are_masked() -> None:
    masked = mask_headers(
        {
            "Authorization": "Bearer s3cret-token",
            "Cookie": "a=s3cret",
            "X-Api-Key": "s3cret",
            "My-Access-Token": "s3cret",
            "Proxy-Authorization": "Basic czNjcmV0",
            "X-Signature": "s3cret",
            "Mcp-Session-Id": "0123456789abcdef",
            "Mcp-Method": "tools/call",
            "WWW-Authenticate": 'Bearer error="invalid_token"',
        }
    )
    assert "s3cret" not in str(masked) and "czNjcmV0" not in str(masked)
    assert masked["authorization"] == "Bearer ***"
    assert masked["mcp-session-id"] == "01234567…"
    assert masked["mcp-method"] == "tools/call"
    assert masked["www-authenticate"] == 'Bearer error="invalid_token"'


def test_json_round_trip_keeps_all_that_was_recorded() -> None:
    original = frame({"id": 1}, "received", headers={"a": "b"}, status=200, note="n", transport="http", framed=False)
    assert Frame.from_json(json.loads(json.dumps(original.to_json()))) == original


@pytest.mark.parametrize("name", ["Ocp-Apim-Subscription-Key", "x-functions-key", "X-Access-Key", "x-jwt", "X-Passwd"])
def test_headers_that_carry_keys_are_masked(name: str) -> None:
    assert "s3cret" not in str(mask_headers({name: "s3cret"}))
