"""What a process has to be told to talk to the loopback Hub."""

from pathlib import Path

from loopback_hub import WRITE_TOKEN

SRC = Path(__file__).parents[2] / "src"


def hub_environment(url: str, home: Path, token: str | None = WRITE_TOKEN) -> dict[str, str]:
    """Environment variables with which a fresh process talks to the server, with a cache of its own."""
    environment = {
        "HF_ENDPOINT": url,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "DISABLE_SAFETENSORS_CONVERSION": "1",
        "OMP_NUM_THREADS": "1",
    }
    return environment | ({"HF_TOKEN": token} if token else {})
