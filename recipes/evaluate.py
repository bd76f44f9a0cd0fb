"""Evaluation of a model on benchmarks, with blank and shuffled pictures beside every score.

accelerate launch recipes/evaluate.py --config recipes/demo/evaluate.yaml [--any_key value]
"""

import sys
from pathlib import Path

# Python looks beside a script first, and this one is called like the library `evaluate`, which it would find in its place.
sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).resolve().parent]

from nanovlms_hf.evaluation.evaluating import main  # noqa: E402

if __name__ == "__main__":
    main()
