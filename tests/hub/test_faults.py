"""A Hub that misbehaves and accounts that may not: the push goes on or says one sentence, and the repository is whole."""

import os
import subprocess
import sys
import time
from itertools import count

import pytest
import torch
from hub_process import SRC, hub_environment
from loopback_hub import READ_TOKEN, WRITE_TOKEN
from safetensors.torch import load_file
from test_push_and_pull import do_push, files_of, save


def commits(hub, name: str) -> int:
    return len(hub.repositories.read("models", name)["commits"])


def fails(elsewhere, *arguments, **options) -> str:
    """The sentence of a push that has to fail; it is one line and holds no token."""
    with pytest.raises(ValueError) as caught:
        elsewhere(do_push, *arguments, **options)
    said = str(caught.value)
    assert "\n" not in said and said.endswith(".")
    for token in (WRITE_TOKEN, READ_TOKEN, "hf_notatokenatall"):
        assert (
            token not in said
            and token not in repr(caught.value.__cause__)
            and token not in repr(caught.value.__context__)
        )
    return said


_SEEDS = count(10)


@pytest.fixture
def folder(tmp_path):
    """A model that the server has not seen: it would not ask for weights that it already has."""
    return save(tmp_path / "model", seed=next(_SEEDS))


def test_a_connection_that_drops_in_the_middle_of_a_file(hub, elsewhere, folder):
    hub.fault("PUT", r"/lfs/", "drop", after_bytes=2000)
    elsewhere(do_push, folder, "tester/dropped")
    sent = [status for method, path, status in hub.requests if method == "PUT"]
    assert sent == [0, 200] and commits(hub, "tester/dropped") == 2
    assert "model.safetensors" in files_of(hub, "tester/dropped")


def test_500_then_200_in_every_step(hub, elsewhere, folder):
    for method, step in (("POST", "/preupload/"), ("POST", "objects/batch"), ("PUT", "/lfs/"), ("POST", "/commit/")):
        hub.fault(method, step, 500)
    elsewhere(do_push, folder, "tester/shaky")
    failed = [path for _, path, status in hub.requests if status == 500]
    assert len(failed) == 4 and commits(hub, "tester/shaky") == 2


def test_429_is_waited_out_as_long_as_the_hub_asks(hub, elsewhere, folder):
    hub.fault("POST", "/commit/", 429, headers={"Retry-After": "3"})
    hub.fault("PUT", "/lfs/", 429, headers={"Retry-After": "1"})
    started = time.monotonic()
    elsewhere(do_push, folder, "tester/busy")
    assert time.monotonic() - started >= 3 + 1 and commits(hub, "tester/busy") == 2


def test_a_commit_that_arrived_but_whose_answer_was_lost_is_not_made_twice(hub, elsewhere, folder):
    handler = hub.RequestHandlerClass
    answer, lost = handler._answer, []

    def lose_one(self, status, content=None, headers=None):
        if "/commit/" in self.path and not lost:
            lost.append(status)
            self.connection.close()
            raise ConnectionAbortedError
        answer(self, status, content, headers)

    handler._answer = lose_one
    try:
        done = elsewhere(do_push, folder, "tester/lost")
    finally:
        handler._answer = answer
    assert lost == [200] and commits(hub, "tester/lost") == 2
    assert hub.repositories.read("models", "tester/lost")["branches"]["main"] == done.commit


def test_a_hub_that_stays_down_leaves_the_repository_as_it_was(hub, elsewhere, tmp_path, folder):
    elsewhere(do_push, folder, "tester/down")
    head = hub.repositories.read("models", "tester/down")["branches"]["main"]
    hub.fault("POST", "/commit/", 503, times=99)
    other = save(tmp_path / "other", seed=1)
    said = fails(elsewhere, other, "tester/down")
    assert said.startswith("the Hub failed while tester/down was pushed, again and again (503: ")
    assert "nothing was committed; push again: files that have already arrived are not sent twice" in said
    assert hub.repositories.read("models", "tester/down")["branches"]["main"] == head
    assert commits(hub, "tester/down") == 2
    hub.faults.clear()
    hub.requests.clear()
    elsewhere(do_push, other, "tester/down")
    assert not [row for row in hub.requests if row[0] == "PUT"]  # the weights had arrived
    assert commits(hub, "tester/down") == 3


def test_a_connection_that_keeps_dropping(hub, elsewhere, folder):
    hub.fault("POST", "/commit/", "drop", times=99)
    said = fails(elsewhere, folder, "tester/gone")
    assert said.startswith("the connection broke off while tester/gone was pushed (") and "push again" in said
    assert commits(hub, "tester/gone") == 1


def test_a_file_larger_than_the_hub_takes(hub, elsewhere, folder):
    hub.largest_file = 10_000
    said = fails(elsewhere, folder, "tester/large")
    assert said.startswith("a file is larger than the Hub takes for tester/large (") and "10000 bytes" in said
    assert "max_shard_size" in said and commits(hub, "tester/large") == 1
    hub.largest_file = None
    hub.fault("POST", "/commit/", 413)
    assert "larger than the Hub takes" in fails(elsewhere, folder, "tester/large")


def test_tokens(hub, elsewhere, folder):
    said = fails(elsewhere, folder, "tester/mine", token=READ_TOKEN)
    assert said.startswith("the token may not write to tester/mine (") and "write access" in said
    said = fails(elsewhere, folder, "tester/mine", token="hf_notatokenatall")
    assert said.startswith("the Hub does not take the token that was given for tester/mine (")
    said = fails(elsewhere, folder, "somebody/else", token=WRITE_TOKEN)
    assert said.startswith("the token may not write to somebody/else (")
    hub.fault("POST", "/api/repos/create", 400, headers={"X-Error-Message": f"bad token {WRITE_TOKEN} given"})
    assert "bad token hf_*** given" in fails(elsewhere, folder, "tester/mine")


def push_without_token(folder):
    import os

    from huggingface_hub import constants

    from nanovlms_hf.hub import push

    kept = os.environ.pop("HF_TOKEN")
    try:
        assert not constants.HF_TOKEN_PATH or not os.path.exists(constants.HF_TOKEN_PATH)
        push(folder, "tester/nobody")
    finally:
        os.environ["HF_TOKEN"] = kept


def test_no_token(hub, elsewhere, folder):
    with pytest.raises(ValueError) as caught:
        elsewhere(push_without_token, folder)
    assert str(caught.value) == (
        "tester/nobody cannot be pushed to without a token; run `hf auth login`, or set HF_TOKEN to a token with write access "
        "(https://huggingface.co/settings/tokens)."
    )
    assert hub.requests == []


def load_weights(repo_id, revision=None):
    from transformers import AutoModelForImageTextToText

    model = AutoModelForImageTextToText.from_pretrained(repo_id, revision=revision)
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_a_download_that_drops_in_the_middle_goes_on(hub, elsewhere, folder):
    done = elsewhere(do_push, folder, "tester/down2")
    hub.requests.clear()
    hub.fault("GET", "model.safetensors", "cut")
    weights = elsewhere(load_weights, "tester/down2", done.commit)
    assert len([row for row in hub.requests if row[0] == "GET" and row[1].endswith("model.safetensors")]) == 2
    expected = load_file(f"{folder}/model.safetensors")
    assert all(torch.equal(weights[name], value) for name, value in expected.items())


def test_a_repository_that_holds_a_pickle_only_is_not_read(hub, elsewhere, folder):
    elsewhere(do_push, folder, "tester/pickled")
    files = dict(files_of(hub, "tester/pickled"))
    pickle = hub.repositories.entry(b"cos\nsystem\n(S'touch /tmp/nanovlms_was_run'\ntR.") | {"lfs": True}
    assert files["model.safetensors"]
    hub.repositories.commit(
        "models", "tester/pickled", "main", {"pytorch_model.bin": pickle}, ("model.safetensors",), "swap"
    )
    with pytest.raises(OSError) as caught:
        elsewhere(load_weights, "tester/pickled")
    assert str(caught.value).startswith(
        "tester/pickled holds no weights that are read (model.safetensors); a pickle such as"
    )
    assert not [row for row in hub.requests if row[0] == "GET" and row[1].endswith("pytorch_model.bin")]


def load_missing(repo_id, revision):
    from nanovlms_hf.hub import verify

    verify(repo_id, revision)


def test_a_repository_or_revision_that_is_not_there(hub, elsewhere, folder):
    elsewhere(do_push, folder, "tester/there")
    for name, revision in (("tester/nowhere", None), ("tester/there", "v9")):
        with pytest.raises(ValueError, match=f"the Hub has no {name}, or not this revision of it"):
            elsewhere(load_missing, name, revision)


def test_a_hub_without_xet_storage(hub, folder, tmp_path):
    environment = hub_environment(hub.url, tmp_path / "home") | {"HF_HUB_DISABLE_XET": "0", "PATH": os.environ["PATH"]}
    command = [sys.executable, "-m", "nanovlms_hf.cli", "push", folder, "tester/noxet"]
    done = subprocess.run(command, env=environment | {"PYTHONPATH": str(SRC)}, capture_output=True, text=True)
    said = [line for line in done.stderr.splitlines() if line.startswith("nanovlms push: ")]
    assert done.returncode == 2 and len(said) == 1
    assert said[0].startswith(
        "nanovlms push: this Hub has no Xet storage, through which tester/noxet was to be sent; set HF_HUB_"
    )
    assert WRITE_TOKEN not in done.stderr + done.stdout and commits(hub, "tester/noxet") == 1
