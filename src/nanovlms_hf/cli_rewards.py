"""The subcommand of `nanovlms` that shows learning from rewards: `grpo-demo`."""


def add_grpo_demo(commands) -> None:
    """Adds `grpo-demo` to the subcommands of an argument parser."""
    command = commands.add_parser(
        "grpo-demo", help="train the demo's model by rewards and show what it earns before and after"
    )
    command.add_argument("--config", default="recipes/demo/grpo_demo.yaml", help="YAML with the stage of the demo")
    command.add_argument("--output-dir", default=None, help="folder to write, instead of the configuration's")
    command.add_argument("--model", default=None, help="model to start from, instead of the configuration's")
    command.set_defaults(run=_run_grpo_demo)


def _run_grpo_demo(arguments) -> None:
    from .grpo_demo import run_grpo_demo

    run_grpo_demo(arguments.config, arguments.output_dir, arguments.model)


REWARD_COMMANDS = (add_grpo_demo,)

__all__ = ["REWARD_COMMANDS", "add_grpo_demo"]
