"""Code in a repository: it runs alone, and code that was changed is refused before it runs."""

import pytest
from test_push_and_pull import CODE, do_push, save

BOMB = b"raise SystemExit('changed code was run')\n"


def change(hub, name: str, file: str, content: bytes) -> None:
    hub.repositories.commit("models", name, "main", {file: hub.repositories.entry(content)}, (), f"change {file}")


def load_with_package(repo_id):
    from transformers import AutoModelForImageTextToText, AutoProcessor

    model = AutoModelForImageTextToText.from_pretrained(repo_id, trust_remote_code=True)
    processor = AutoProcessor.from_pretrained(repo_id, trust_remote_code=True)
    return type(model).__module__, type(processor).__module__


def do_verify(repo_id):
    from nanovlms_hf.hub import verify

    return verify(repo_id)


LOAD = (
    "from transformers import AutoModelForImageTextToText as A\n"
    "try:\n    A.from_pretrained({name!r}, trust_remote_code=True)\n"
    "except ValueError as error:\n    print(error)\n"
)


def test_changed_files_are_refused_without_the_package_and_not_run_with_it(hub, elsewhere, fresh, tmp_path):
    name = "tester/changed"
    elsewhere(do_push, save(tmp_path / "model"), name)
    assert elsewhere(do_verify, name) == [f"{file}: as in this version of nanovlms_hf" for file in sorted(CODE)]
    change(hub, name, "modeling_nanovlms.py", BOMB)
    said = fresh(LOAD.format(name=name)).strip()
    assert said == (
        f"modeling_nanovlms.py in {name} is not the file that config.json was saved with (its SHA-256 differs), so it was not "
        "run: load an earlier revision, or read what was changed and save the model again with the files you want."
    )
    modules = elsewhere(load_with_package, name)
    assert modules == ("nanovlms_hf.modeling_nanovlms", "nanovlms_hf.processing_nanovlms")
    with pytest.raises(ValueError) as caught:
        elsewhere(do_verify, name)
    assert str(caught.value).startswith(f"{name} carries modeling_nanovlms.py, which is not as in this version")


def test_a_pushed_repository_asks_before_its_code_is_run(hub, elsewhere, fresh, tmp_path):
    name = "tester/asks"
    elsewhere(do_push, save(tmp_path / "model"), name)
    code = LOAD.format(name=name).replace(", trust_remote_code=True", ", trust_remote_code=False")
    assert "trust_remote_code=True" in fresh(code)
