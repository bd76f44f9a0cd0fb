"""A real HTTP server on loopback that answers like a chat API, and misbehaves on request."""

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Api:
    """What the server does.

    Attributes:
        answer: function of the request's body -> text of the answer; replaced by tests.
        script: what the next requests get instead, one entry each: a status number, ("status", number, headers, text), "malformed",
            "no choices", "null", "hang", or None for a good answer.
        bodies, keys: of every request, in order.
    """

    def __init__(self):
        self.answer = lambda body: '{"ok": true}'
        self.script = []
        self.bodies, self.keys = [], []
        self.lock = threading.Lock()
        self.usage = {"prompt_tokens": 11, "completion_tokens": 3}
        self.refuses_response_format = False
        self.url = ""

    def asked(self, place=-1) -> str:
        """The last user message of a request."""
        return self.bodies[place]["messages"][-1]["content"]


def _handler(api: Api):
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with api.lock:
                api.bodies.append(body)
                api.keys.append(self.headers.get("Authorization"))
                step = api.script.pop(0) if api.script else None
            if self.path != "/v1/chat/completions":
                return self._send(404, {"error": "no such path"})
            if api.refuses_response_format and "response_format" in body:
                return self._send(400, {"error": "unknown field response_format"})
            if isinstance(step, int):
                return self._send(step, {"error": f"you sent {self.headers.get('Authorization')}"})
            if isinstance(step, tuple):
                return self._send(step[1], step[3], step[2])
            if step == "hang":
                time.sleep(0.8)
            if step == "malformed":
                return self._send(200, "{this is no JSON")
            if step == "no choices":
                return self._send(200, {"choices": []})
            text = None if step == "null" else api.answer(body)
            answer = {"choices": [{"message": {"role": "assistant", "content": text}}]}
            self._send(200, answer | ({"usage": api.usage} if api.usage else {}))

        def _send(self, status, content, headers=None):
            data = (content if isinstance(content, str) else json.dumps(content)).encode()
            try:
                self.send_response(status)
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the client gave up waiting, as it should

    return Handler


@contextmanager
def serve(api: Api):
    """Runs the server while the block lasts; `api.url` is its base URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(api))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    api.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
