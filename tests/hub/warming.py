"""What the process that knows the server does first; a module of its own, for there are several named `conftest`."""


def warm_up() -> None:
    import torch

    import nanovlms_hf

    torch.set_num_threads(1)
    assert nanovlms_hf
