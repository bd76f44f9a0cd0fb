"""`nanovlms serve` answers an OpenAI-style request about a picture; a real server on loopback."""

import base64
import io
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from PIL import Image

pytestmark = pytest.mark.slow


def test_serve_describes_a_picture(saved, tmp_path):
    pytest.importorskip("fastapi", reason="the extra `serve` is not installed")
    pytest.importorskip("openai", reason="the extra `serve` is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "nanovlms_hf.cli", "serve", saved, "--device", "cpu", "--host", "127.0.0.1"]
    environment = os.environ | {"HF_HOME": str(tmp_path / "hub")}
    server = subprocess.Popen(
        [*command, "--port", str(port)], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
    )
    try:
        wait_for(port, server)
        buffer = io.BytesIO()
        Image.new("RGB", (32, 32), (200, 30, 30)).save(buffer, "PNG")
        url = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
        content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "Describe the picture."}]
        body = {"model": saved, "messages": [{"role": "user", "content": content}], "max_tokens": 4}
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/v1/chat/completions",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        answer = json.loads(urllib.request.urlopen(request, timeout=60).read())
        assert answer["choices"][0]["message"]["role"] == "assistant"
        # The placeholders of one picture (4) and the words around them were counted as the prompt.
        assert answer["usage"]["prompt_tokens"] > 4 and answer["usage"]["completion_tokens"] <= 4
    finally:
        server.terminate()
        server.wait(timeout=20)


def wait_for(port: int, server: subprocess.Popen) -> None:
    """Waits until the server listens; fails if it ends or takes longer than a minute."""
    for _ in range(240):
        assert server.poll() is None, f"the server ended with code {server.returncode}"
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.25)
    raise AssertionError("the server did not listen within a minute")
