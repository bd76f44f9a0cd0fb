"""The subcommand `nanovlms plan`: how much memory a recipe takes, and what makes it fit."""

import json
import os


def add_plan(commands) -> None:
    """Adds `plan` to the subcommands of `nanovlms`."""
    command = commands.add_parser(
        "plan",
        help="predict the memory that a recipe takes, and the settings that make it fit",
    )
    command.add_argument(
        "--config",
        default=None,
        help="a recipe's YAML file; without one, name a model by --model or --set preset=NAME",
    )
    command.add_argument(
        "--memory", default=None, help="what there is, such as 8GB or 8 GiB (default: this machine's GPU)"
    )
    command.add_argument("--model", default=None, help="folder or Hub id of any image-text-to-text model")
    command.add_argument(
        "--recipe",
        default=None,
        help="sft, pretrain, vocabulary, marks, tower, dpo or grpo (default: the last word of the file's name)",
    )
    command.add_argument("--device", default=None, choices=("cuda", "cpu"), help="where it is to run (default: cuda)")
    command.add_argument("--length", type=int, default=None, help="tokens of the longest row, with its pictures")
    command.add_argument("--pictures", type=int, default=1, help="pictures of a row")
    command.add_argument("--json", action="store_true", help="print JSON")
    command.add_argument(
        "--table", action="store_true", help="print what fits 6 to 24 GB for each preset, as Markdown"
    )
    command.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="key=value",
        help="keys of the recipe, laid over the file's",
    )
    command.set_defaults(run=_run_plan)


def _run_plan(arguments) -> None:
    from .locating import check_source
    from .planning.memory_size import parse_memory
    from .planning.recipes import Recipe, read_recipe
    from .planning.report import make_plan

    memory = None if arguments.memory is None else parse_memory(arguments.memory)  # before anything slow
    if arguments.table:
        from .planning.table import table_rows

        for line in table_rows():
            print(line, flush=True)
        return
    settings = list(arguments.set)
    if arguments.model:
        check_source("--model", arguments.model)
        settings += [f"model_name_or_path={arguments.model}", "preset="]
    kind, keys = read_recipe(arguments.config, settings, arguments.recipe)
    on_cpu = keys.get("use_cpu") or os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes")
    device = arguments.device or ("cpu" if on_cpu else "cuda")
    recipe = Recipe(kind, keys, device, arguments.length, arguments.pictures)
    plan = make_plan(recipe, memory)
    print(json.dumps(plan.as_dict(), indent=2) if arguments.json else plan.text())


__all__ = ["add_plan"]
