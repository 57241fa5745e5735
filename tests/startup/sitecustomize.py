"""Hides programs and packages from a process that a test starts; see tests/programs.py."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))
from programs import hide_here

sys.path.pop()
del sys.modules["programs"]
hide_here()
