"""Where the records of a run lie, below its folder."""

from __future__ import annotations

import re
from typing import Final

RUN_KEY: Final = "run.json"
COPY_KEY: Final = "copies/run.json"
"""What `run.json` held when it was written; runs of older versions have none."""
RECORD: Final = re.compile(r"(log|choices)/(\d{8})\.json")
