"""Sizes of a model of voices, and the codes of its notes."""

from __future__ import annotations

from dataclasses import dataclass

from musiccore.errors import ConfigError

_MOST = {"n_voices": 16, "steps_per_quarter": 96, "n_layers": 64, "high": 127}


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposerConfig:
    """Sizes of a model.

    Attributes:
        n_voices: voices of the grid, highest first.
        steps_per_quarter: steps of a quarter note.
        low: lowest pitch it knows, counted from the reference.
        high: highest.
        width: of each recurrent layer.
        n_layers: recurrent layers.
        head_width: of the network of a voice.
        dropout: share of units silenced in training.
        unheard: share of facts (a pitch, an interval, an age) left out in training.
    """

    n_voices: int = 4
    steps_per_quarter: int = 4
    low: int = 28
    high: int = 91
    width: int = 256
    n_layers: int = 2
    head_width: int = 256
    dropout: float = 0.45
    unheard: float = 0.15

    def __post_init__(self) -> None:
        for name in ("n_voices", "steps_per_quarter", "width", "n_layers", "head_width"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}, want at least 1")
        for name, most in _MOST.items():
            if getattr(self, name) > most:
                raise ConfigError(f"{name} is {getattr(self, name)}, want at most {most}")
        if self.high <= self.low:
            raise ConfigError(f"high is {self.high}, want more than low, {self.low}")

    @property
    def n_pitches(self) -> int:
        """Pitches a voice can take."""
        return self.high - self.low + 1

    @property
    def n_classes(self) -> int:
        """Rest, pitches, hold."""
        return self.n_pitches + 2

    @property
    def hold(self) -> int:
        """Class of a voice that keeps its pitch or rest; as an input: before the start."""
        return self.n_pitches + 1

    @property
    def order(self) -> tuple[int, ...]:
        """Order in which voices are drawn: highest, lowest, then the inner ones downwards."""
        if self.n_voices == 1:
            return (0,)
        return (0, self.n_voices - 1, *range(1, self.n_voices - 1))


def one_thread() -> None:
    """Use one processor thread: small matrices run slower on two."""
    import torch

    torch.set_num_threads(1)
