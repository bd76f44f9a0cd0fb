"""The subcommand `nanovlms doctor`: looks at a recipe, or at any saved model with its data, before it trains."""

import json
import sys


def add_doctor(commands) -> None:
    """Adds the subcommand to the parser of `nanovlms`."""
    command = commands.add_parser(
        "doctor",
        help="find what would make a training learn nothing, before its first step",
        description="Exit code 0: healthy; 1: findings; 2: bad input. Flags behind -- go to the recipe.",
    )
    command.add_argument("--config", default=None, help="YAML of a recipe")
    command.add_argument(
        "--stage", default=None, help="stage of the recipe, where its file's name does not end with it"
    )
    command.add_argument("--model", default=None, help="instead: folder or Hub id of any image-text-to-text model")
    command.add_argument("--data", default=None, help="source entry (YAML) with rows for --model")
    command.add_argument("--packed", action="store_true", help="with --model: check padding-free batches too")
    command.add_argument("--json", action="store_true", help="print the report as JSON")
    command.add_argument("flags", nargs="*", help="behind --: further flags of the recipe, such as --train_rows 8")
    command.set_defaults(run=_run_doctor)


def _run_doctor(arguments) -> int:
    report = _examine(arguments)
    if arguments.json:
        print(json.dumps(report.to_dict(), indent=2, ensure_ascii=False))
    else:
        print(report.text(colour=sys.stdout.isatty()))
    return 0 if report.healthy else 1


def _examine(arguments):
    if (arguments.config is None) == (arguments.model is None):
        raise ValueError("give either --config RECIPE.yaml, or --model DIR_OR_ID with --data SOURCE.yaml.")
    if arguments.config is not None:
        if arguments.data or arguments.packed:
            raise ValueError("--data and --packed belong to --model; a recipe's YAML names its own data.")
        from .doctor.recipes import examine_recipe

        return examine_recipe(arguments.config, arguments.flags, arguments.stage)
    if arguments.data is None:
        raise ValueError(
            "--model needs rows to look at; give a source entry with --data SOURCE.yaml (see docs/data.md)."
        )
    if arguments.flags or arguments.stage:
        raise ValueError("--stage and flags behind -- belong to --config; leave them out beside --model.")
    from .doctor.run import examine_saved

    return examine_saved(arguments.model, arguments.data, arguments.packed)


__all__ = ["add_doctor"]
