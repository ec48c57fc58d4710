"""An endpoint on 127.0.0.1 that speaks the chat protocol and misbehaves on request."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Reply:
    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    hangs: bool = False
    """Nothing is sent until the server is closed."""


def chat(text: str | None, **changes: Any) -> Reply:
    """A well-formed answer; `changes` replace its parts, None takes one out."""
    answer: dict[str, Any] = {
        "id": "x", "object": "chat.completion", "created": 1, "model": "small",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
    }  # fmt: skip
    answer = {key: value for key, value in {**answer, **changes}.items() if value is not None}
    return Reply(json.dumps(answer).encode())


def fault(status: int, message: str = "no", **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(json.dumps({"error": {"message": message}}).encode(), status, named)


class FaultServer:
    """Gives its `replies` in order, the last one for ever; `seen` holds the requests as they came."""

    def __init__(self, port: int) -> None:
        self.base = f"http://127.0.0.1:{port}/v1"
        self.replies: list[Reply] = []
        self.seen: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.closing = threading.Event()

    def load(self, *replies: Reply) -> None:
        self.replies, self.seen, self.keys = list(replies), [], []

    def next(self, request: dict[str, Any], key: str) -> Reply:
        self.seen.append(request)
        self.keys.append(key)
        return self.replies[min(len(self.seen), len(self.replies)) - 1]


@contextmanager
def fault_server() -> Iterator[FaultServer]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            reply = server.next(request, self.headers.get("Authorization", ""))
            if reply.hangs:
                server.closing.wait()
                return
            self.send_response(reply.status)
            for name, value in {
                **reply.headers,
                "Content-Length": str(len(reply.body)),
                "Content-Type": "application/json",
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    server = FaultServer(http.server_address[1])
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        http.shutdown()
        http.server_close()
        thread.join()
