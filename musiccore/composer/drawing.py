"""Draw voices step by step, for several pieces at once.

Every number that decides is drawn beforehand from the seed, so a piece does not depend on its
neighbours in the batch. Given voices are kept; the others are drawn around them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from musiccore.composer.batches import encode
from musiccore.composer.features import UNKNOWN_REFERENCE, History, reference_of
from musiccore.composer.network import Composer, Inputs, State
from musiccore.composer.voices import Grid

FREE = -1
"""In a grid of given notes: to be drawn."""

_PERFECT = (0, 7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Pieces of one batch.

    Attributes:
        pitches: `[B, T, V]`.
        struck: `[B, T, V]`, whether a note begins.
        fermata: `[B, T]`, probability that the highest voice rests on a fermata.
        last: `[B, T]`, probability that the step is the last one.
        nats: `[B, T, V]`, negative log-likelihood of each note at temperature 1, without rules.
    """

    pitches: NDArray[np.int16]
    struck: NDArray[np.bool_]
    fermata: NDArray[np.float32]
    last: NDArray[np.float32]
    nats: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How notes are drawn.

    Attributes:
        temperature: divides the logits.
        top_p: share of the likeliest notes that may be drawn.
        parallels: allow parallel fifths and octaves.
        first: pitch classes of the first step, the bass's first; empty is any.
        rests: let voices fall silent.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    parallels: bool = True
    first: tuple[int, ...] = ()
    rests: bool = True


class Drawing:
    """A batch of pieces that grows.

    Args:
        model: draws.
        seeds: one per piece.
        n_steps: steps they will reach.
        rules: how.
        given: `[T, V]` notes that are fixed, `FREE` elsewhere, for all pieces alike; may be
            shorter than `n_steps`.
    """

    def __init__(
        self,
        model: Composer,
        seeds: Sequence[tuple[int, ...]],
        n_steps: int,
        rules: Rules,
        given: Grid | None = None,
    ) -> None:
        config = model.config
        self.model, self.rules, self.n_steps = model, rules, n_steps
        self.given = np.full((n_steps, config.n_voices), FREE, np.int16)
        if given is not None:
            self.given[: len(given)] = given[:n_steps]
        size, voices = len(seeds), config.n_voices
        self.chances = np.stack(
            [np.random.default_rng(seed).random((n_steps, 2 * voices)) for seed in seeds]
        ).astype(np.float32)
        self.history = History(size, voices, n_steps)
        self.reference = np.zeros(size, np.int64)
        self.state: State | None = None
        self.struck = np.zeros((size, n_steps, voices), bool)
        self.fermata = np.zeros((size, n_steps), np.float32)
        self.last = np.zeros((size, n_steps), np.float32)
        self.nats = np.zeros((size, n_steps, voices), np.float32)

    def run(self) -> Drawn:
        """Draw all steps."""
        for _ in range(self.n_steps):
            self.step()
        return self.drawn()

    def drawn(self) -> Drawn:
        """Return the pieces so far."""
        t = self.history.length
        return Drawn(
            pitches=self.history.grid[:, :t],
            struck=self.struck[:, :t],
            fermata=self.fermata[:, :t],
            last=self.last[:, :t],
            nats=self.nats[:, :t],
        )

    def step(self) -> None:
        """Draw one step."""
        t, config = self.history.length, self.model.config
        with torch.inference_mode():
            inputs = self._inputs()
            read, self.state = self.model.read(inputs, self.state)
            flat, row = read[:, 0], inputs.flat()
            codes = torch.zeros(len(self.reference), config.n_voices, dtype=torch.long)
            for n, voice in enumerate(config.order):
                logits = self.model.voice_logits(n, flat, row, codes)
                classes = self._choose(n, voice, logits, codes)
                chosen = torch.where(classes == config.hold, row.previous[:, voice], classes)
                codes[:, voice] = chosen
                nats = -logits.log_softmax(-1).gather(-1, classes[:, None])[:, 0]
                self.nats[:, t, voice] = nats.numpy()
            marks = self.model.mark_logits(flat, codes).sigmoid().numpy()
        frame = self._pitches(codes.numpy(), t)
        given = self.given[t] != FREE
        frame[:, given] = self.given[t][given]
        self._note_marks(t, frame, marks)
        self.history.append(frame)
        if t == 0:
            self.reference = reference_of(frame)

    def keep(self, rows: NDArray[np.int64]) -> None:
        """Go on with these pieces in place of all; a piece may be taken several times."""
        history = History(len(rows), self.history.grid.shape[2], self.n_steps)
        history.take(self.history, rows)
        self.history, self.reference = history, self.reference[rows]
        for name in ("struck", "fermata", "last", "nats"):
            setattr(self, name, getattr(self, name)[rows])
        if self.state is not None:
            index = torch.from_numpy(rows)
            self.state = [(h[:, index], c[:, index]) for h, c in self.state]

    def _inputs(self) -> Inputs:
        """Return what is known before the next step, `[B, 1, ...]`."""
        t, config, size = self.history.length, self.model.config, len(self.reference)
        past, grid = self.history.past(), self.history.grid
        start = np.full((size, config.n_voices), config.hold, np.int64)
        shift = self.reference[:, None]
        previous = encode(grid[:, t - 1], shift, config) if t else start
        similar = grid[np.arange(size), np.maximum(past.earlier, 0)]
        earlier = np.where(past.earlier[:, None] >= 0, encode(similar, shift, config), start)
        reference = self.reference + 6 if t else np.full(size, UNKNOWN_REFERENCE)
        return Inputs(
            previous=torch.from_numpy(previous)[:, None],
            ages=torch.from_numpy(past.ages)[:, None],
            earlier=torch.from_numpy(earlier)[:, None],
            bucket=torch.from_numpy(past.bucket)[:, None],
            position=torch.full((size, 1), t),
            reference=torch.from_numpy(reference)[:, None],
        )

    def _pitches(self, codes: NDArray[np.int64], t: int) -> NDArray[np.int16]:
        shift = self.reference[:, None] if t else 0
        pitches = np.where(codes > 0, codes - 1 + self.model.config.low + shift, 0)
        return np.clip(pitches, 0, 127).astype(np.int16)

    def _choose(self, n: int, voice: int, logits: Tensor, codes: Tensor) -> Tensor:
        """Return the class of one voice for every piece."""
        t = self.history.length
        if self.given[t, voice] != FREE:
            return self._given(voice)
        logits = logits.clone()
        if not self.rules.rests:
            logits[:, 0] = float("-inf")
        if t == 0 and self.rules.first:
            self._begin(n, logits, codes)
        if t and not self.rules.parallels:
            self._forbid_parallels(n, voice, logits, codes)
        return self._draw(logits, torch.from_numpy(self.chances[:, t, voice]))

    def _draw(self, logits: Tensor, chance: Tensor) -> Tensor:
        """Draw classes. Whether a voice moves is drawn as the model says, at any temperature.

        A step is short and a voice mostly holds: a cut at the unlikely would stop the music.
        """
        hold = self.model.config.hold
        stays = logits.softmax(-1)[:, hold]
        moves = logits.clone()
        moves[:, hold] = float("-inf")
        ordered, order = (moves / self.rules.temperature).softmax(-1).sort(dim=-1, descending=True)
        total = ordered.cumsum(-1)
        ordered = torch.where(total - ordered < self.rules.top_p, ordered, 0.0)
        total = ordered.cumsum(-1)
        rest = ((chance - stays) / (1 - stays).clamp(min=1e-9)).clamp(min=0)
        at = torch.searchsorted(total, (rest * total[:, -1])[:, None], right=True)
        at = at.clamp(max=len(total[0]) - 1)
        moved = order.gather(-1, at)[:, 0]
        # Where every move is forbidden, the voice stays.
        return torch.where((chance < stays) | ~moves.isfinite().any(-1), hold, moved)

    def _given(self, voice: int) -> Tensor:
        t, config = self.history.length, self.model.config
        note = np.full((len(self.reference), 1), self.given[t, voice], np.int16)
        shift = self.reference[:, None] if t else 0
        code = torch.from_numpy(encode(note, shift, config)[:, 0])
        if not t:
            return code
        before = encode(self.history.grid[:, t - 1, voice : voice + 1], shift, config)[:, 0]
        return torch.where(code == torch.from_numpy(before), config.hold, code)

    def _begin(self, n: int, logits: Tensor, codes: Tensor) -> None:
        """Allow only the wanted chord, whole, the bass on its root."""
        config, wanted = self.model.config, self.rules.first
        pitch_class = (np.arange(config.n_pitches) + config.low) % 12
        voice = config.order[n]
        if voice == config.n_voices - 1:
            allowed = np.tile(pitch_class == wanted[0], (len(codes), 1))
        else:
            allowed = np.tile(np.isin(pitch_class, wanted), (len(codes), 1))
        left = config.n_voices - n - 1
        if n:
            known = codes[:, list(config.order[:n])].numpy() - 1 + config.low
            for row, sounding in enumerate(known % 12):
                missing = [pc for pc in wanted[:2] if pc not in sounding]
                if missing and left < len(missing) and voice != config.n_voices - 1:
                    allowed[row] &= np.isin(pitch_class, missing)
        logits[:, 1:-1].masked_fill_(torch.from_numpy(~allowed), float("-inf"))
        logits[:, 0] = float("-inf")

    def _forbid_parallels(self, n: int, voice: int, logits: Tensor, codes: Tensor) -> None:
        """Forbid a move in the same fifth or octave with a voice that moves as well."""
        config, t = self.model.config, self.history.length
        before = self.history.grid[:, t - 1].astype(np.int64)
        now = self._pitches(codes.numpy(), t).astype(np.int64)
        pitches = np.arange(config.n_pitches)[None] + config.low + self.reference[:, None]
        wrong = np.zeros(pitches.shape, bool)
        for other in config.order[:n]:
            sounding = (before[:, voice] > 0) & (before[:, other] > 0) & (now[:, other] > 0)
            moved = sounding & (now[:, other] != before[:, other])
            interval = (before[:, voice] - before[:, other]) * (1 if voice < other else -1) % 12
            sign = 1 if voice < other else -1
            after = (pitches - now[:, other : other + 1]) * sign % 12
            perfect = moved & np.isin(interval, _PERFECT)
            wrong |= perfect[:, None] & (after == interval[:, None])
        logits[:, 1:-1].masked_fill_(torch.from_numpy(wrong), float("-inf"))

    def _note_marks(self, t: int, frame: NDArray[np.int16], marks: NDArray[np.float32]) -> None:
        voices = frame.shape[1]
        held = np.zeros_like(frame, dtype=bool)
        if t:
            held = frame == self.history.grid[:, t - 1]
        again = self.chances[:, t, voices:] < marks[:, :voices]
        self.struck[:, t] = (frame > 0) & (~held | again)
        self.fermata[:, t], self.last[:, t] = marks[:, voices], marks[:, voices + 1]
