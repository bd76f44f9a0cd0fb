"""Runs transformers' own common tests, unmodified, on the classes of this package: `python tests/conformance/fetch.py`.

The tests are no part of the installed package, so the source archive of the very version that is installed is downloaded
with pip, unpacked to `.cache/conformance` and put on the import path as the package `transformers_tests`. The archive
holds the files right under `tests/` but no folders below it; for the four modules that its files import from elsewhere,
stand-ins are written here. The generation and export suites are therefore not run by this script: `tests/model` has
tests of the same behaviour.

Everything after `--` goes to pytest, e.g. `python tests/conformance/fetch.py -- -k tied -x`.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CACHE = ROOT / ".cache" / "conformance"
PACKAGE = "transformers_tests"

STAND_INS = {
    "exporters/test_export.py": '''
class ExportTesterMixin:
    """Stands in for the export suite, which the source archive does not hold."""
''',
    "generation/test_utils.py": '''
class GenerationTesterMixin:
    """Stands in for the generation suite, which the source archive does not hold: only what the common tests call."""

    def prepare_config_and_inputs_for_generate(self, batch_size=2):
        config, inputs = self.model_tester.prepare_config_and_inputs_for_common()
        pictures = inputs["pixel_values"].shape[0] // inputs["input_ids"].shape[0]
        rows = {"pixel_values": batch_size * pictures}
        inputs = {name: value[: rows.get(name, batch_size)].contiguous() for name, value in inputs.items()}
        text_config = config.get_text_config(decoder=True)
        for part in (config, text_config):
            part.eos_token_id = None
            part.forced_eos_token_id = None
        if text_config.pad_token_id is None:
            text_config.pad_token_id = 0
        return config, inputs
''',
    "utils/test_configuration_utils.py": """
# A value that differs from the default for each field that every configuration takes.
config_common_kwargs = {
    "return_dict": False,
    "output_hidden_states": True,
    "output_attentions": True,
    "dtype": "float16",
    "chunk_size_feed_forward": 5,
    "architectures": ["SomeModel"],
    "id2label": {0: "label"},
    "label2id": {"label": "0"},
    "problem_type": "regression",
}
""",
}

# The processing and picture tests fetch samples from the Hub through this helper; a drawn picture serves as well.
PICTURE_HELPER = '''
import hashlib
from pathlib import Path

import numpy as np
from PIL import Image


def url_to_local_path(url, *args, **kwargs):
    """A local file with a picture that depends on the address alone; addresses of sound and film come back as they are."""
    if not url.lower().endswith((".png", ".jpg", ".jpeg")):
        return url
    digest = hashlib.sha256(url.encode()).hexdigest()
    path = Path(__file__).parent / f"{digest[:16]}.png"
    if not path.exists():
        generator = np.random.default_rng(int(digest[:8], 16))
        Image.fromarray(generator.integers(0, 256, (60, 80, 3), dtype=np.uint8)).save(path)
    return str(path)
'''


def installed_version() -> str:
    """The version of transformers in this environment."""
    import transformers

    return transformers.__version__


def fetch(version: str) -> Path:
    """Downloads and unpacks the tests of a version once; returns the folder to put on the import path.

    Raises:
        SystemExit: if pip cannot fetch the archive or the archive holds no tests.
    """
    home = CACHE / version
    package = home / PACKAGE
    if (home / "complete").exists():
        return home
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
    command += ["--no-build-isolation", "--dest", str(home), f"transformers=={version}"]
    if subprocess.run(command).returncode:
        raise SystemExit(
            f"pip could not download the source archive of transformers {version}; connect to a package index (or set "
            "PIP_INDEX_URL) and run this script again."
        )
    (archive,) = home.glob("*.tar.gz")
    with tarfile.open(archive) as sources:
        prefix = f"transformers-{version}/tests/"
        members = [member for member in sources.getmembers() if member.name.startswith(prefix) and member.isfile()]
        for member in members:
            target = package / member.name[len(prefix) :]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(sources.extractfile(member).read())
    if not (package / "test_modeling_common.py").exists():
        raise SystemExit(
            f"{archive.name} holds no tests/test_modeling_common.py; another version of transformers may."
        )
    write_stand_ins(package, home / "utils")
    archive.unlink()
    (home / "complete").touch()
    return home


def write_stand_ins(package: Path, helpers: Path) -> None:
    """Writes the modules that the archive's tests import but that it does not hold."""
    for name, source in STAND_INS.items():
        path = package / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source)
    for folder in [package, *(path for path in package.iterdir() if path.is_dir())]:
        (folder / "__init__.py").touch()
    helpers.mkdir(exist_ok=True)
    (helpers / "fetch_hub_objects_for_ci.py").write_text(PICTURE_HELPER)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only-fetch", action="store_true", help="download and unpack, run nothing")
    parser.add_argument("pytest_args", nargs="*", help="arguments for pytest, after --")
    arguments = parser.parse_args()
    home = fetch(installed_version())
    if arguments.only_fetch:
        return 0
    environment = os.environ | {"NANOVLMS_CONFORMANCE": str(home)}
    environment.setdefault("OMP_NUM_THREADS", "1")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    # transformers has markers of its own, which our strict list does not know.
    command += ["-o", "addopts=", "-W", "ignore::pytest.PytestUnknownMarkWarning"]
    command += [str(HERE / "nanovlms"), *arguments.pytest_args]
    return subprocess.run(command, cwd=ROOT, env=environment).returncode


if __name__ == "__main__":
    raise SystemExit(main())
