"""Collects the conformance classes only when `fetch.py` runs them, since they need transformers' own test files."""

import os
import sys

if os.environ.get("NANOVLMS_CONFORMANCE"):
    sys.path.insert(0, os.environ["NANOVLMS_CONFORMANCE"])
    import nanovlms_hf  # noqa: F401  (registers the Auto classes before the common tests read their tables)
else:
    collect_ignore_glob = ["nanovlms/*"]
