"""What the same field is called at the doors through which a person may come.

A hint is written once and marks what a door calls otherwise: `{seconds}` is a field, `{act keep 2}`
what is done with a take, `{resume winter}` how a run goes on, `{options generate}` where the
options are described. Each door says these its own way; anything else in braces stays as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

_MARK: Final = re.compile(r"\{(?:(act|resume|options) ([\w.-]+)(?: ([\w.-]+))?|([a-z][a-z_]*))\}")


@dataclass(frozen=True, slots=True)
class Door:
    """How one door names things; the words hold `{}` where a name goes.

    Attributes:
        called: a field.
        act: an action on a take: `{0}` is the action, `{1}` the number of the take.
        resume: what continues a run.
        options: where the options of a command are described.
        names: fields that are called otherwise here.
        spaced: what stands between the words of a field.
        titled: whether a field begins with a capital.
    """

    called: str = "{}"
    act: str = "{0} {1}"
    resume: str = "`jukeflow resume {}`"
    options: str = "`jukeflow {} --help`"
    names: dict[str, str] = field(default_factory=dict)
    spaced: str = "_"
    titled: bool = False

    def says(self, text: str) -> str:
        """Return a text with its marks in the words of this door."""
        return _MARK.sub(self._word, text)

    def _word(self, mark: re.Match[str]) -> str:
        kind, first, second, name = mark.groups()
        if kind == "act":
            return self.act.format(first, second)
        if kind is not None:
            return (self.resume if kind == "resume" else self.options).format(first)
        if name in self.names:
            return self.names[name]
        words = name.replace("_", self.spaced)
        return self.called.format(words.capitalize() if self.titled else words)


_ACT: Final = "--take {1} --{0}"
_OPTIONS: Final = {"branch": "with --branch", "again": "--again", "take": "--take"}

LIBRARY: Final = Door(act=_ACT, names=_OPTIONS)
"""A recipe or a call: the fields as they are, and choices as the command has them."""

COMMAND: Final = Door(
    called="--{}",
    act=_ACT,
    spaced="-",
    names={**_OPTIONS, "label_tables": "JUKEFLOW_LABELS", "name": "--run"},
)
FORM: Final = Door(
    called="“{}”",
    act="take {1}, action {0}",
    resume="the deployment `continue`, with {} as its run,",
    options="the description of each field",
    spaced=" ",
    titled=True,
    names={
        "again": "the action again",
        "branch": "once more",
        "choose": "“Who chooses”",
        "label_tables": "JUKEFLOW_LABELS on the worker",
        "primer_compose": "“Compose the primer”",
        "take": "“Take”",
    },
)
ROOM: Final = Door(
    called="“{}”",
    act="{0} take {1}:",
    resume="its page in the room",
    options="the page of the round",
    spaced=" ",
    titled=True,
    names={"branch": "once more", "label_tables": "JUKEFLOW_LABELS where the room runs"},
)
TABLE: Final = Door(called="the column {}", names={"label_tables": "JUKEFLOW_LABELS"})
"""A row of a batch file."""
