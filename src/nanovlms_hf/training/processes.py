"""How the processes of one launch part: all together, and with their connections closed."""

from collections.abc import Callable
from functools import wraps

import torch
from accelerate import PartialState


def parting_together(main: Callable) -> Callable:
    """Makes an entry point wait for the launch's other processes at its end, and close the connections to them.

    A process that leaves while gloo's threads still serve another one may abort ("terminate called without an active
    exception"), and the launcher then calls a finished run failed. With one process nothing is done; neither after an
    error, where the others may never arrive.
    """

    @wraps(main)
    def run(*args, **kwargs):
        result = main(*args, **kwargs)
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            PartialState().wait_for_everyone()
            torch.distributed.destroy_process_group()
        return result

    return run


__all__ = ["parting_together"]
