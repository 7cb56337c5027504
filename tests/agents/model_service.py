"""A service of models on loopback, over HTTP, in the wire formats of Anthropic and OpenAI, whole and streamed.

The events of a stream are those that the SDKs' own types define: `anthropic.types.RawMessageStreamEvent`, and
`openai.types.chat.ChatCompletionChunk` up to `[DONE]`.
"""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]
BREAK, HOLD, WAIT = "break", "hold", "wait"
"""In a stream: end the connection without an end of the answer; write no more, until the client goes; wait for `go`."""


class Service:
    """Answers what it was told to, in order, and writes down what it was asked.

    An answer is a status and an object, or a list of what is sent piece by piece: bytes, or one of the words above.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str], Json]] = []
        self.answers: list[tuple[int, Json | list[bytes | str]]] = []
        self.headers: dict[str, str] = {}
        self.go, self.left = threading.Event(), threading.Event()
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                service.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                status, answer = service.answers.pop(0)
                self.send_response(status)
                for name, value in service.headers.items():
                    self.send_header(name, value)
                if isinstance(answer, list):
                    self.stream(answer)
                    return
                data = json.dumps(answer).encode()
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def stream(self, pieces: list[bytes | str]) -> None:
                self.send_header("content-type", "text/event-stream")
                self.send_header("transfer-encoding", "chunked")
                self.end_headers()
                for piece in pieces:
                    if isinstance(piece, bytes):
                        self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                    elif piece == WAIT:
                        service.go.wait(20)
                    elif piece == BREAK:
                        self.close_connection = True
                        return
                    elif piece == HOLD:
                        self.close_connection = True
                        with suppress(OSError):
                            self.rfile.read(1)
                        service.left.set()
                        return
                self.wfile.write(b"0\r\n\r\n")

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop it."""
        self.go.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


def anthropic_answer(*blocks: Json, stop: str = "") -> tuple[int, Json]:
    """A whole message of these blocks."""
    usage = {"input_tokens": 1, "output_tokens": 1}
    about = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_sequence": None, "usage": usage}
    stop = stop or ("tool_use" if any(each["type"] == "tool_use" for each in blocks) else "end_turn")
    return 200, {**about, "content": list(blocks), "stop_reason": stop}


def openai_answer(text: str | None, *calls: tuple[str, str, str], stop: str = "") -> tuple[int, Json]:
    """A whole completion with this text and these calls (id, name, arguments)."""
    message: Json = {"role": "assistant", "content": text}
    if calls:
        message["tool_calls"] = [
            {"id": id, "type": "function", "function": {"name": name, "arguments": given}} for id, name, given in calls
        ]
    choice = {"index": 0, "message": message, "finish_reason": stop or ("tool_calls" if calls else "stop")}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    about = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "usage": usage}
    return 200, {**about, "choices": [choice]}


def anthropic_events(
    texts: list[str], *calls: tuple[str, str, list[str]], stop: str = "", used: tuple[int, int] = (7, 5)
) -> list[bytes]:
    """A message in pieces: its text, and calls (id, name, pieces of the arguments' JSON); the tokens read and written."""
    message: Json = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": []}
    message |= {"stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": used[0], "output_tokens": 1}}
    events: list[Json] = [{"type": "message_start", "message": message}, {"type": "ping"}]
    blocks: list[tuple[Json, list[Json]]] = []
    if texts:
        blocks.append(({"type": "text", "text": ""}, [{"type": "text_delta", "text": text} for text in texts]))
    for id, name, given in calls:
        written = [{"type": "input_json_delta", "partial_json": each} for each in given]
        blocks.append(({"type": "tool_use", "id": id, "name": name, "input": {}}, written))
    for index, (block, deltas) in enumerate(blocks):
        events.append({"type": "content_block_start", "index": index, "content_block": block})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    ended = {"stop_reason": stop or ("tool_use" if calls else "end_turn"), "stop_sequence": None}
    events += [
        {"type": "message_delta", "delta": ended, "usage": {"output_tokens": used[1]}},
        {"type": "message_stop"},
    ]
    return [anthropic_event(event) for event in events]


def anthropic_event(event: Json) -> bytes:
    """One event on the wire."""
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def openai_events(
    texts: list[str], *calls: tuple[str, str, list[str]], stop: str = "", used: tuple[int, int] = (7, 5)
) -> list[bytes]:
    """A completion in pieces: its text, and calls (id, name, pieces of the arguments' JSON); the tokens at the end."""
    deltas: list[Json] = [{"role": "assistant", "content": ""}, *({"content": text} for text in texts)]
    for index, (id, name, given) in enumerate(calls):
        first = {"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": ""}}
        deltas.append({"tool_calls": [first]})
        deltas += [{"tool_calls": [{"index": index, "function": {"arguments": each}}]} for each in given]
    about = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    chunks = [{**about, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    stop = stop or ("tool_calls" if calls else "stop")
    chunks.append({**about, "choices": [{"index": 0, "delta": {}, "finish_reason": stop}]})
    usage = {"prompt_tokens": used[0], "completion_tokens": used[1], "total_tokens": sum(used)}
    chunks.append({**about, "choices": [], "usage": usage})
    return [*(openai_event(chunk) for chunk in chunks), b"data: [DONE]\n\n"]


def openai_event(event: Json) -> bytes:
    """One event on the wire."""
    return f"data: {json.dumps(event)}\n\n".encode()
