"""The subcommands of `nanovlms` that publish a model: `push`, `card`, `verify`, `export`."""


def _add_push(commands) -> None:
    command = commands.add_parser(
        "push", help="push a model, vision tower, adapter or dataset to the Hub, in one commit"
    )
    command.add_argument("folder", help="folder that a finished stage, save_pretrained or save_to_disk wrote")
    command.add_argument("repository", help="owner/name, or name in your own namespace")
    command.add_argument("--private", action="store_true", default=None, help="make a new repository private")
    command.add_argument("--revision", default=None, help="branch to push to (default: main)")
    command.add_argument("--message", default=None, help="title of the commit")
    command.set_defaults(run=_run_push)


def _run_push(arguments) -> None:
    from .hub import push

    done = push(
        arguments.folder,
        arguments.repository,
        private=arguments.private,
        revision=arguments.revision,
        message=arguments.message,
    )
    if done.files:
        print(f"{len(done.files)} files are in {done.repo_id}: {', '.join(done.files)}")
    if done.left_out:
        print(f"left at home: {', '.join(done.left_out)}")
    print(f"{done.url}\nrevision {done.commit}")


def _add_card(commands) -> None:
    command = commands.add_parser("card", help="write the model card (README.md) from what the run measured")
    command.add_argument("folder", help="folder of a finished stage or demo")
    command.add_argument("--output", default=None, help="file to write (default: README.md in the folder)")
    command.add_argument("--name", default=None, help="name of the model (default: the preset's, or the folder's)")
    command.set_defaults(run=_run_card)


def _run_card(arguments) -> None:
    from .model_card import write_card

    print(f"wrote {write_card(arguments.folder, arguments.output, name=arguments.name)}")


def _add_verify(commands) -> None:
    command = commands.add_parser(
        "verify", help="check, without running it, that a repository's code is this package's own"
    )
    command.add_argument("repository", help="owner/name on the Hub, or a folder")
    command.add_argument("--revision", default=None, help="branch, tag or commit (default: main)")
    command.set_defaults(run=_run_verify)


def _run_verify(arguments) -> None:
    from .hub import verify

    print("\n".join(verify(arguments.repository, arguments.revision)))


def _add_export(commands) -> None:
    command = commands.add_parser("export", help="save a model as one of transformers' own classes")
    command.add_argument("--to", required=True, choices=("llava", "smolvlm"), help="class to save as")
    command.add_argument("folder", help="saved model, or its repository on the Hub")
    command.add_argument("output", help="folder to write")
    command.set_defaults(run=_run_export)


def _run_export(arguments) -> None:
    from .export import export

    print(export(arguments.folder, arguments.output, arguments.to))


HUB_COMMANDS = (_add_push, _add_card, _add_verify, _add_export)

__all__ = ["HUB_COMMANDS"]
