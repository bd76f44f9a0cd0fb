"""The builders of this folder's tests lie in `patients.py`."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
