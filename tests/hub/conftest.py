"""A Hub on loopback for each test file, and a process whose unmodified `huggingface_hub` client knows it as `HF_ENDPOINT`."""

import os
import subprocess
import sys
import sysconfig
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest
from hub_process import SRC, hub_environment
from loopback_hub import WRITE_TOKEN, LoopbackHub
from warming import warm_up


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """The server of a test file."""
    with LoopbackHub(tmp_path_factory.mktemp("hub")) as server:
        yield server


@pytest.fixture(autouse=True)
def well_behaved(hub):
    """Each test starts with a server without faults, limits or memories of requests."""
    hub.faults.clear()
    hub.requests.clear()
    hub.largest_file = None


@pytest.fixture(scope="module")
def elsewhere(hub, tmp_path_factory):
    """`elsewhere(function, *arguments)` runs a function of a test file in the process that knows the server."""
    before = dict(os.environ)
    os.environ.update(hub_environment(hub.url, tmp_path_factory.mktemp("home")))
    try:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            pool.submit(warm_up).result()
            os.environ.clear()
            os.environ.update(before)
            yield lambda function, *arguments, **options: pool.submit(function, *arguments, **options).result()
    finally:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture
def fresh(hub, tmp_path):
    """`fresh(code, package=False)` runs code in a new interpreter, with or without this package, with an empty cache."""

    def run(code: str, package: bool = False, token: str | None = WRITE_TOKEN) -> str:
        home = tmp_path / f"home{len(list(tmp_path.iterdir()))}"
        environment = hub_environment(hub.url, home, token)
        if package:
            command, environment = [sys.executable, "-c", code], environment | {"PYTHONPATH": str(SRC)}
        else:
            # -S and -I: no .pth file, so no editable install, and no PYTHONPATH; only the site-packages folder is added
            start = (
                f"import sys; sys.path.append({sysconfig.get_path('purelib')!r})\n"
                "try:\n    import nanovlms_hf\nexcept ImportError:\n    pass\nelse:\n    raise SystemExit('nanovlms_hf is here')\n"
            )
            command = [sys.executable, "-I", "-S", "-c", start + code]
        environment |= {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    return run
