"""The `nanovlms` command."""

import argparse
import sys

from .cli_hub import HUB_COMMANDS


def main(argv: list[str] | None = None) -> int:
    """Runs a subcommand; bad input is one sentence on stderr and exit code 2."""
    parser = argparse.ArgumentParser(
        prog="nanovlms", description="Tiny vision-language models with Hugging Face tools."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for add in (_add_presets, _add_describe, _add_sheet, _add_demo, _add_serve, *HUB_COMMANDS):
        add(commands)
    arguments = parser.parse_args(argv)
    try:
        arguments.run(arguments)
    except (ValueError, OSError) as error:  # transformers reports what it cannot find as OSError, over several lines
        print(f"nanovlms {arguments.command}: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0


def _add_presets(commands) -> None:
    command = commands.add_parser("presets", help="parameters of each preset, beside the paper's Table 2")
    command.set_defaults(run=_run_presets)


def _run_presets(_arguments) -> None:
    from .presets import presets_table

    print(presets_table())


def _add_describe(commands) -> None:
    command = commands.add_parser("describe", help="describe a picture file")
    command.add_argument("picture", nargs="+", help="picture file(s)")
    command.add_argument("--model", default="runs/demo", help="model directory or Hub id (default: runs/demo)")
    command.add_argument("--prompt", default="Describe the picture.", help="what to ask")
    command.add_argument("--max-new-tokens", type=int, default=128, help="longest answer, in tokens")
    command.set_defaults(run=_run_describe)


def _run_describe(arguments) -> None:
    from pathlib import Path

    from transformers import AutoModelForImageTextToText, AutoProcessor

    from .data.pictures import open_picture
    from .evaluation.describing import describe_pictures
    from .locating import check_source

    pictures = [open_picture(path, f"the picture {path}") for path in arguments.picture]
    folder = Path(arguments.model)
    if not folder.exists() and arguments.model.startswith(("runs/", "./", "/", "..")):
        raise ValueError(
            f"--model {arguments.model} is no directory; train one with `make demo`, or name another model."
        )
    needed = {"configuration (config.json)": ["config.json"], "weights (*.safetensors)": ["*.safetensors", "*.bin"]}
    absent = [name for name, globs in needed.items() if not any(any(folder.glob(pattern)) for pattern in globs)]
    if folder.is_dir() and absent:
        raise ValueError(
            f"--model {arguments.model} holds no {' and no '.join(absent)}; name the folder that a finished stage wrote."
        )
    check_source("--model", arguments.model)
    try:
        model = AutoModelForImageTextToText.from_pretrained(arguments.model, dtype="float32")
        processor = AutoProcessor.from_pretrained(arguments.model)
    except OSError as error:
        raise ValueError(f"--model {arguments.model} cannot be loaded: {error}") from error
    answers = describe_pictures(model, processor, pictures, arguments.prompt, max_new_tokens=arguments.max_new_tokens)
    for path, answer in zip(arguments.picture, answers, strict=True):
        print(answer if len(answers) == 1 else f"{path}: {answer}")


def _add_sheet(commands) -> None:
    command = commands.add_parser("sheet", help="draw a sheet of pictures of the built-in world with their texts")
    command.add_argument("output", help="PNG to write")
    command.add_argument("--seed", type=int, default=0, help="seed of the world")
    command.add_argument("--rows", type=int, default=4, help="rows of pictures")
    command.add_argument("--columns", type=int, default=6, help="pictures a row")
    command.add_argument("--size", type=int, default=192, help="side of a picture, in pixels")
    command.add_argument("--style", default=None, help="draw all pictures in this style")
    command.set_defaults(run=_run_sheet)


def _run_sheet(arguments) -> None:
    from .data.sheet import draw_sheet

    texts = draw_sheet(
        arguments.output, arguments.seed, arguments.rows, arguments.columns, arguments.size, arguments.style
    )
    print("\n".join(texts))


def _add_demo(commands) -> None:
    command = commands.add_parser("demo", help="train a model from nothing and show what it says of unseen pictures")
    command.add_argument("--config", default="recipes/demo/demo.yaml", help="YAML with the stages of the demo")
    command.add_argument("--output-dir", default=None, help="folder to write, instead of the configuration's")
    command.set_defaults(run=_run_demo)


def _run_demo(arguments) -> None:
    from .demo import run_demo

    run_demo(arguments.config, arguments.output_dir)


def _add_serve(commands) -> None:
    command = commands.add_parser(
        "serve",
        help="`transformers serve` with this family registered (needs the extra `serve`)",
        description="All arguments go to `transformers serve`; try `nanovlms serve runs/demo --device cpu`.",
        add_help=False,
    )
    command.add_argument("arguments", nargs=argparse.REMAINDER, help="arguments of `transformers serve`")
    command.set_defaults(run=_run_serve)


def _run_serve(arguments) -> None:
    from transformers.cli.transformers import main as transformers_main

    from . import registration

    registration.register()  # the command of transformers runs in a process that would not know the family
    sys.argv = ["transformers", "serve", *arguments.arguments]
    transformers_main()


if __name__ == "__main__":
    sys.exit(main())
