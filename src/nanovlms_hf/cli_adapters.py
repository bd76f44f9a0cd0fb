"""The subcommand of `nanovlms` that makes one model of a base and its adapter: `merge`."""


def add_merge(commands) -> None:
    """Adds `nanovlms merge`."""
    command = commands.add_parser("merge", help="write an adapter and its base as one ordinary model")
    command.add_argument("adapter", help="folder that a stage with use_peft left")
    command.add_argument("output", help="folder to write")
    command.add_argument("--base", default=None, help="where the base lies (default: where the adapter says)")
    command.set_defaults(run=_run_merge)


def _run_merge(arguments) -> None:
    from .adapter_folders import merge

    print(merge(arguments.adapter, arguments.output, arguments.base))


__all__ = ["add_merge"]
