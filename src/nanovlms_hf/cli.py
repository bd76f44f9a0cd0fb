"""The `nanovlms` command."""

import argparse
import sys

from .cli_adapters import add_merge
from .cli_doctor import add_doctor
from .cli_hub import HUB_COMMANDS
from .cli_plan import add_plan
from .cli_preferences import PREFERENCE_COMMANDS
from .cli_rewards import REWARD_COMMANDS


def main(argv: list[str] | None = None) -> int:
    """Runs a subcommand; bad input is one sentence on stderr and exit code 2."""
    parser = argparse.ArgumentParser(
        prog="nanovlms", description="Tiny vision-language models with Hugging Face tools."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for add in (
        _add_presets,
        _add_describe,
        _add_sheet,
        _add_demo,
        _add_vary_demo,
        _add_pdfs,
        _add_serve,
        _add_benchmarks,
        _add_grade,
        _add_compare,
        _add_describe_dataset,
        add_doctor,
        add_plan,
        *HUB_COMMANDS,
        add_merge,
        *REWARD_COMMANDS,
        *PREFERENCE_COMMANDS,
    ):
        add(commands)
    arguments = parser.parse_args(argv)
    try:
        return arguments.run(arguments) or 0
    except (ValueError, OSError) as error:  # transformers reports what it cannot find as OSError, over several lines
        print(f"nanovlms {arguments.command}: {' '.join(str(error).split())}", file=sys.stderr)
        return 2


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
    command = commands.add_parser("sheet", help="draw a sheet of scenes, pages, charts or boxes and print their texts")
    command.add_argument("output", help="PNG to write")
    command.add_argument(
        "--kind", nargs="+", default=["scenes"], help="scenes, documents, charts, detection; several take turns by row"
    )
    command.add_argument("--seed", type=int, default=0, help="seed of the pictures")
    command.add_argument("--rows", type=int, default=4, help="rows of pictures")
    command.add_argument("--columns", type=int, default=6, help="pictures a row")
    command.add_argument("--size", type=int, default=192, help="side of a picture, in pixels")
    command.add_argument("--style", default=None, help="draw all scenes in this style")
    command.set_defaults(run=_run_sheet)


def _run_sheet(arguments) -> None:
    from .data.sheet import draw_sheet

    texts = draw_sheet(
        arguments.output,
        arguments.seed,
        arguments.rows,
        arguments.columns,
        arguments.size,
        arguments.style,
        arguments.kind,
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


def _add_vary_demo(commands) -> None:
    command = commands.add_parser(
        "vary-demo", help="pretrain a vision vocabulary, merge it, and compare with the model without it"
    )
    command.add_argument("--config", default="recipes/vary-nano/demo.yaml", help="YAML with the stages of the demo")
    command.add_argument("--output-dir", default=None, help="folder to write, instead of the configuration's")
    command.set_defaults(run=_run_vary_demo)


def _run_vary_demo(arguments) -> None:
    from .vary_demo import run_vary_demo

    run_vary_demo(arguments.config, arguments.output_dir)


def _add_pdfs(commands) -> None:
    command = commands.add_parser("pdfs", help="turn a folder of PDF files into page pictures with their text")
    command.add_argument("folder", help="folder of PDF files")
    command.add_argument("output", help="folder to write; `datasets.load_from_disk` reads it")
    command.add_argument("--image-size", type=int, default=None, help="side of square pages, in pixels")
    command.add_argument("--dpi", type=float, default=96.0, help="pixels an inch, where pages keep their proportions")
    command.add_argument("--on-bad", choices=("raise", "report"), default="raise", help="what a bad file or page does")
    command.set_defaults(run=_run_pdfs)


def _run_pdfs(arguments) -> None:
    from .data.pdfs import save_pdf_dataset

    report = save_pdf_dataset(
        arguments.folder,
        arguments.output,
        image_size=arguments.image_size,
        dpi=arguments.dpi,
        on_bad=arguments.on_bad,
    )
    if not report.bad:  # with bad ones it has been printed already
        print(report.sentence())


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


def _add_benchmarks(commands) -> None:
    command = commands.add_parser("benchmarks", help="the benchmarks that recipes/evaluate.py knows")
    command.set_defaults(run=_run_benchmarks)


def _run_benchmarks(_arguments) -> None:
    from .evaluation.commands import benchmarks_table

    print(benchmarks_table())


def _add_grade(commands) -> None:
    command = commands.add_parser(
        "grade", help="let a judge grade the completions of a finished evaluation (NanoVLMs' protocol)"
    )
    command.add_argument("folder", help="output folder of recipes/evaluate.py")
    command.add_argument("--judge-seeds", type=int, default=3, help="how often each text is graded")
    command.add_argument(
        "--hide-truth", action="store_true", help="do not tell the judge what is true, as in the paper"
    )
    command.add_argument("--fewest-items", type=int, default=100, help="refuse to grade fewer items")
    _add_endpoint_flags(command)
    command.set_defaults(run=_run_grade)


def _add_endpoint_flags(command) -> None:
    command.add_argument("--base-url", default=None, help="endpoint of OpenAI's form (or NANOVLMS_ENDPOINT_URL)")
    command.add_argument("--model", default=None, help="name of the model there (or NANOVLMS_ENDPOINT_MODEL)")
    command.add_argument("--temperature", type=float, default=0.0, help="temperature of the answers")
    command.add_argument("--timeout", type=float, default=60.0, help="seconds to wait for an answer")
    command.add_argument("--retries", type=int, default=5, help="further tries after a failure")
    command.add_argument("--workers", type=int, default=4, help="requests in flight")
    command.add_argument("--price-in", type=float, default=None, help="price of a million prompt tokens")
    command.add_argument("--price-out", type=float, default=None, help="price of a million completion tokens")


def _run_grade(arguments) -> None:
    from .evaluation.commands import grade_run

    print(grade_run(arguments))


def _add_compare(commands) -> None:
    command = commands.add_parser("compare", help="compare two finished evaluations, paired item by item")
    command.add_argument("first", help="output folder of recipes/evaluate.py")
    command.add_argument("second", help="another one, on the same items")
    command.add_argument("--condition", default="true", choices=("true", "blank", "shuffled"), help="pictures given")
    command.add_argument("--resamples", type=int, default=2000, help="resamples of the bootstrap")
    command.add_argument("--json", default=None, help="file to write the numbers to, too")
    command.set_defaults(run=_run_compare)


def _run_compare(arguments) -> None:
    from .evaluation.commands import compare_command

    print(compare_command(arguments))


def _add_describe_dataset(commands) -> None:
    command = commands.add_parser(
        "describe-dataset", help="rewrite a dataset's captions as ShortDesc and LongDesc through an endpoint"
    )
    command.add_argument("output_dir", help="folder to write; an interrupted run goes on there")
    command.add_argument("--path", default=None, help="captioned dataset (default: COCO 2017 from the Hub)")
    command.add_argument("--config-name", default=None, help="the dataset's own configuration")
    command.add_argument("--data-files", default=None, help="its files, for path parquet, json, csv ...")
    command.add_argument("--split", default="train", help="split to read")
    command.add_argument("--revision", default=None, help="commit of a Hub dataset")
    command.add_argument("--image", default="image", help="column with the picture")
    command.add_argument("--captions", default="captions", help="column with a caption or a list of them")
    command.add_argument("--id", default=None, help="column that names the row")
    command.add_argument("--limit", type=int, default=None, help="read this many rows")
    command.add_argument("--held-out", type=int, default=200, help="rows kept for grading")
    command.add_argument("--words", default=None, help="file with easy words, one a line, instead of word frequencies")
    command.add_argument("--seed", type=int, default=0, help="seed of the splits and of the writer")
    command.add_argument("--push-to-hub", default=None, help="repository to push the result to")
    _add_endpoint_flags(command)
    command.set_defaults(run=_run_describe_dataset)


def _run_describe_dataset(arguments) -> None:
    from .evaluation.commands import describe_dataset_command

    print(describe_dataset_command(arguments))


if __name__ == "__main__":
    sys.exit(main())
