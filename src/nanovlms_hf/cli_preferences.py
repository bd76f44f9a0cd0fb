"""The subcommands of `nanovlms` that train on preferences: `dpo-demo`."""


def _add_dpo_demo(commands) -> None:
    command = commands.add_parser(
        "dpo-demo", help="train the demo's model on pairs of a true and a wrong text, and show what that changed"
    )
    command.add_argument("--config", default="recipes/demo/dpo_demo.yaml", help="YAML with the stage of the demo")
    command.add_argument("--output-dir", default=None, help="folder to write, instead of the configuration's")
    command.set_defaults(run=_run_dpo_demo)


def _run_dpo_demo(arguments) -> None:
    from .dpo_demo import run_dpo_demo

    run_dpo_demo(arguments.config, arguments.output_dir)


PREFERENCE_COMMANDS = (_add_dpo_demo,)

__all__ = ["PREFERENCE_COMMANDS"]
