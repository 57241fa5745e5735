"""Parity with the published program: golden arrays and tables of parameters.

`run_parity` compares a folder; nothing about sizes, seeds or file names is built in. What a file is
shows in its configuration.
"""

from musiccore.parity.report import CaseResult, ParityReport
from musiccore.parity.run import run_parity
from musiccore.parity.tables import run_state_dicts

__all__ = ["CaseResult", "ParityReport", "run_parity", "run_state_dicts"]
