"""Makes the small stages of the training tests and this folder's own helpers importable."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
