"""A stand-in for the Messages API: an HTTP server on loopback that streams what a script tells it to.

A script is a list; each call of POST /v1/messages takes the next item: a Say, a Fail, or a function of the request that
returns one. What was asked is kept in `requests`.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Tool:
    """One tool_use block. raw: JSON text to send in place of the arguments."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)
    raw: str | None = None


@dataclass(frozen=True)
class Say:
    """A reply. cut_after: close the connection after so many events. pause: seconds between pieces of text.

    gone: set when the client has hung up in the middle.
    """

    text: str = ""
    tools: tuple[Tool, ...] = ()
    thinking: str = ""
    stop: str = ""
    usage: dict[str, int] = field(default_factory=dict)
    cut_after: int | None = None
    pause: float = 0.0
    gone: threading.Event | None = None


@dataclass(frozen=True)
class Fail:
    """An error before the stream, or (in_stream) as an event in the middle of it."""

    status: int
    kind: str
    retry_after: str | None = None
    in_stream: bool = False


class MessagesAPI:
    """with MessagesAPI(script) as api: settings.ANTHROPIC_BASE_URL = api.url"""

    def __init__(self, script: list[Any] | Callable[[dict[str, Any]], Any], *, port: int = 0) -> None:
        """port: 0 for one that is free."""
        self.script = script
        self.requests: list[dict[str, Any]] = []
        self.lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "MessagesAPI":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def next(self, request: dict[str, Any]) -> Any:
        with self.lock:
            self.requests.append(request)
            item = self.script(request) if callable(self.script) else self.script.pop(0)
        return item(request) if callable(item) else item

    def _handler(api) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                """Quiet."""

            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["content-length"])))
                assert self.path == "/v1/messages"
                assert request["stream"] is True
                answer = api.next(request)
                if isinstance(answer, Fail) and not answer.in_stream:
                    self._refuse(answer)
                    return
                self.send_response(200)
                self.send_header("content-type", "text/event-stream")
                self.send_header("connection", "close")
                self.end_headers()
                self.close_connection = True
                for count, event in enumerate(events(answer, request)):
                    if isinstance(answer, Say) and answer.cut_after is not None and count >= answer.cut_after:
                        return
                    try:
                        self.wfile.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
                        self.wfile.flush()
                    except OSError:  # the client has hung up: a cancelled stream
                        if isinstance(answer, Say) and answer.gone is not None:
                            answer.gone.set()
                        return
                    if isinstance(answer, Say) and answer.pause and event["type"] == "content_block_delta":
                        time.sleep(answer.pause)

            def _refuse(self, answer: Fail) -> None:
                error = {"type": answer.kind, "message": f"{answer.kind} for tests"}
                body = json.dumps({"type": "error", "error": error}).encode()
                self.send_response(answer.status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                if answer.retry_after is not None:
                    self.send_header("retry-after", answer.retry_after)
                self.end_headers()
                self.wfile.write(body)

        return Handler


def events(answer: Say | Fail, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The events of one stream, as the API sends them."""
    usage = {"input_tokens": 1000, "cache_read_input_tokens": 200, "cache_creation_input_tokens": 50}
    usage |= answer.usage if isinstance(answer, Say) else {}
    message = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": request["model"], "content": [],
        "stop_reason": None, "stop_sequence": None, "usage": {**usage, "output_tokens": 1},
    }  # fmt: skip
    yield {"type": "message_start", "message": message}
    if isinstance(answer, Fail):
        yield {"type": "error", "error": {"type": answer.kind, "message": "in the middle"}}
        return
    index = 0
    if answer.thinking:
        yield {
            "type": "content_block_start",
            "index": index,
            "content_block": {"type": "thinking", "thinking": "", "signature": ""},
        }
        yield {
            "type": "content_block_delta",
            "index": index,
            "delta": {"type": "thinking_delta", "thinking": answer.thinking},
        }
        yield {"type": "content_block_delta", "index": index, "delta": {"type": "signature_delta", "signature": "sig"}}
        yield {"type": "content_block_stop", "index": index}
        index += 1
    if answer.text:
        yield {"type": "content_block_start", "index": index, "content_block": {"type": "text", "text": ""}}
        for word in answer.text.split(" "):
            yield delta(index, type="text_delta", text=f"{word} ")
        yield {"type": "content_block_stop", "index": index}
        index += 1
    for tool in answer.tools:
        block = {"type": "tool_use", "id": f"toolu_{len(request['messages'])}_{index}", "name": tool.name, "input": {}}
        yield {"type": "content_block_start", "index": index, "content_block": block}
        text = tool.raw if tool.raw is not None else json.dumps(tool.arguments)
        for piece in (text[: len(text) // 2], text[len(text) // 2 :]):
            yield {
                "type": "content_block_delta",
                "index": index,
                "delta": {"type": "input_json_delta", "partial_json": piece},
            }
        yield {"type": "content_block_stop", "index": index}
        index += 1
    stop = answer.stop or ("tool_use" if answer.tools else "end_turn")
    output = {"output_tokens": answer.usage.get("output_tokens", 300)}
    yield {"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": output}
    yield {"type": "message_stop"}


def delta(index: int, **piece: str) -> dict[str, Any]:
    """One content_block_delta."""
    return {"type": "content_block_delta", "index": index, "delta": piece}
