"""How fast the picture world is on one core: scenes, pictures and texts per second.

    OMP_NUM_THREADS=1 python benchmarks/bench_scenes.py --count 3000 --size 128 --sheet sheet.png

Prints one line per step. `--sheet` also saves a page of pictures and prints their short texts.
"""

import argparse
import time
from collections.abc import Callable

from nanovlms_hf.data.descriptions import long_description, questions, short_description
from nanovlms_hf.data.drawing import render, warm_up
from nanovlms_hf.data.facts import read_facts
from nanovlms_hf.data.scenes import TRAIN_STYLES, make_scene
from nanovlms_hf.data.sheet import draw_sheet


def report(label: str, count: int, work: Callable[[int], object]) -> None:
    """Time `work(index)` for `count` indices and print the rate."""
    start = time.perf_counter()
    for index in range(count):
        work(index)
    seconds = time.perf_counter() - start
    print(f"{label:<28} {count / seconds:>9.0f} per second   {1e3 * seconds / count:>7.3f} ms each", flush=True)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=3000, help="scenes per step")
    parser.add_argument("--size", type=int, default=128, help="side of the pictures in pixels")
    parser.add_argument("--sheet", help="where to save a page of pictures")
    arguments = parser.parse_args()

    start = time.perf_counter()
    warm_up(TRAIN_STYLES, arguments.size)
    print(f"{'warm-up, once':<28} {time.perf_counter() - start:>9.1f} seconds", flush=True)
    scenes = [make_scene(0, index) for index in range(arguments.count)]
    report("scene", arguments.count, lambda index: make_scene(1, index))
    report(f"picture, {arguments.size} px", arguments.count, lambda index: render(scenes[index], arguments.size))
    report("short description", arguments.count, lambda index: short_description(scenes[index]))
    report("long description", arguments.count, lambda index: long_description(scenes[index]))
    report("questions", arguments.count, lambda index: questions(scenes[index]))
    texts = [short_description(scene) for scene in scenes]
    report("reading a short description", arguments.count, lambda index: read_facts(texts[index]))

    def row(index: int) -> None:
        scene = make_scene(2, index)
        render(scene, arguments.size)
        short_description(scene)

    report("scene + picture + short text", arguments.count, row)
    if arguments.sheet:
        print(*draw_sheet(arguments.sheet, seed=2024, rows=6), sep="\n")


if __name__ == "__main__":
    main()
