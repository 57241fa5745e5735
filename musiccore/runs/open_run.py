"""A run whose log is open: what every step of it needs, in one object that is handed on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import numpy as np

from musiccore.audio.sound import Audio
from musiccore.journal.heartbeat import Lookout
from musiccore.journal.journal import Journal
from musiccore.models.config import ModelConfig
from musiccore.models.loading import Models
from musiccore.models.machine import Machine
from musiccore.request.request import GenerationRequest
from musiccore.runs.choices import choices_of, facts_of, write_choice
from musiccore.runs.create import Primer, run_numerics
from musiccore.runs.levels import CodeArray
from musiccore.runs.packs import SharedPasses
from musiccore.sampling.randomness import RNG_SCHEME
from musiccore.storage.store import Store
from musiccore.takes.choice import Choice, MadeChoice, Maker
from musiccore.takes.takes import Facts
from musiccore.takes.tree import Tree
from musiccore.work.extra import extra
from musiccore.work.progress import Careful, Reporter, Silent
from musiccore.work.stop import SafeStop

Made = TypeVar("Made")


def untold(_: str) -> None:
    """Tell nobody."""


class OpenRun:
    """A run whose log is open; claimed, unless nothing is going to be written.

    Attributes:
        root: the store.
        journal: the log.
        machine: that does the work.
        reporter: shows how it goes.
        tell: is told what a person reads afterwards, in sentences.
        facts: what the run says about itself.
        request: what was asked for.
        config: of the model.

    Args:
        root: the store.
        journal: the log.
        machine: that does the work.
        reporter: shows how it goes; nobody by default.
        tell: is told what a person reads afterwards; nobody by default.
        passes: passes of a model that the run shares with other ones; None for a run of its own.
        models: networks of the run's model, if they are loaded already.
    """

    def __init__(
        self,
        root: Store,
        journal: Journal,
        machine: Machine,
        *,
        reporter: Reporter | None = None,
        tell: Callable[[str], None] = untold,
        passes: SharedPasses | None = None,
        models: Models | None = None,
    ) -> None:
        self.root = root
        self.journal = journal
        self.machine = machine
        self.reporter = Silent() if reporter is None else Careful(reporter)
        self.tell = tell
        self.passes = passes
        self.facts: Facts = facts_of(journal.record)
        self.request: GenerationRequest = self.facts.request
        self.config: ModelConfig = self.facts.config
        self._choices = choices_of(root, journal.record)
        self._tree: tuple[int, Tree] | None = None
        self._models = models

    @property
    def run_id(self) -> str:
        """Name of the run."""
        return self.journal.run_id

    def tree(self, *, fresh: bool = False) -> Tree:
        """Return the tree of the run.

        Args:
            fresh: look for choices that people made meanwhile; what is in progress does not.
        """
        events = self.journal.events
        if self._tree is None or fresh or self._tree[0] != len(events):
            if self._tree is None or fresh:
                made = self._choices.read()
            else:
                made = self._tree[1].choices
            self._tree = (len(events), Tree.of(self.facts, events, made))
        return self._tree[1]

    def choose(self, choice: Choice, *, by: Maker, who: str, seen: int) -> MadeChoice:
        """Check a choice and write it, as `make_choice` does.

        Raises:
            ConfigError, Conflict, StorageError: as for `make_choice`.
        """
        labels = self.machine.labels
        return write_choice(
            self.tree(), self._choices, choice, by=by, label_tables=labels, who=who, seen=seen
        )

    @property
    def asks_a_person(self) -> bool:
        """Whether a person chooses, so that takes have to be published."""
        request = self.request
        patient = request.choose == "wait" or request.choose_after_hours > 0
        return patient or any(made.by != "policy" for made in self.tree().choices)

    def codes_at(self, level: int, top_codes: int) -> int:
        """Return the codes of a level that last as long as some top-level codes."""
        return top_codes * (self.config.top.hop_length // self.config.priors[level].hop_length)

    @property
    def models(self) -> Models:
        """Networks of the run's model; songs of a pack share them."""
        if self._models is None:
            shared = None if self.passes is None else self.passes.models
            if shared is not None and shared.config == self.config:
                self._models = shared
            else:
                self._models = Models(self.config, self.machine)
        return self._models

    def drop_prior(self) -> None:
        """Let the memory of the prior go, if one is loaded and nobody shares it."""
        if self._models is not None and self.passes is None:
            self._models.drop_prior()

    def decode(self, level: int, codes: CodeArray) -> Audio:
        """Decode codes [n] of one level to mono audio, by the VQ-VAE of the run."""
        import torch

        with torch.inference_mode():
            batch = torch.from_numpy(codes[None]).to(self.models.device)
            samples = self.models.vqvae().decode(batch, level)[0].float().cpu().numpy()  # [1, T]
        return Audio(
            samples=np.ascontiguousarray(np.clip(samples, -1.0, 1.0), dtype=np.float32),
            sample_rate=self.config.vqvae.sample_rate,
        )

    def say(self, text: str) -> None:
        """Show one sentence about the work in progress."""
        self.reporter.say(text)

    def safe_stop(self) -> SafeStop:
        """Return the stop that a step asks at safe points."""
        return SafeStop(self.say)

    def extra(self, what: str, make: Callable[[], Made]) -> Made | None:
        """Return what `make` makes; None, and a warning, where it cannot be made.

        Args:
            what: it is, in words that begin a sentence.
            make: makes it.
        """
        return extra(what, make, self.say, self.tell)

    def losses(self) -> tuple[str, ...]:
        """Return in sentences what of the run is lost."""
        lost = self._choices.losses(self.journal.given_up["choices"])
        return (*self.journal.losses(), *lost)

    def give_up_lost_choices(self) -> None:
        """Mark the end of what was chosen where choices were lost, and say which."""
        self._choices.read()
        losses = self._choices.losses(self.journal.given_up["choices"])
        if losses:
            self.journal.append("repair", choices=[*self._choices.give_up()])
        for sentence in losses:
            self.say(f"run {self.run_id}: {sentence}")

    def check_numerics(self, *, consent: bool) -> None:
        """Compare what decides the numbers here with what the run began with.

        Raises:
            ConfigError: if they differ and there is no consent.
        """
        record = self.journal.record
        primer, pack = Primer.recorded(record), record.numerics.get("pack")
        numerics = run_numerics(self.request, self.config, self.models, primer, pack)
        self.journal.check_numerics(
            {"rng": RNG_SCHEME, **numerics}, self.models.digests(), consent=consent
        )


@contextmanager
def open_run(
    root: Store,
    run_id: str,
    machine: Machine,
    *,
    reporter: Reporter | None = None,
    tell: Callable[[str], None] = untold,
    passes: SharedPasses | None = None,
    take_over: bool = False,
    accept_different_numerics: bool = False,
    lookout: Lookout | None = None,
) -> Iterator[OpenRun]:
    """Open a run and claim it for the `with` block.

    Args:
        root: the store.
        run_id: the run.
        machine: that does the work.
        reporter: shows how it goes; nobody by default.
        tell: is told what a person reads afterwards; nobody by default.
        passes: passes of a model that the run shares with other ones.
        take_over: claim it although another worker seems to be at work.
        accept_different_numerics: continue on a machine with other numbers, and record it.
        lookout: watches the workers of several runs at once.

    Raises:
        NotFound: if there is no such run.
        Fenced: if another worker is at work on it.
        ConfigError: if this machine would compute other numbers.
    """
    with Journal.open(root, run_id) as journal:
        run = OpenRun(root, journal, machine, reporter=reporter, tell=tell, passes=passes)
        if not accept_different_numerics:
            run.check_numerics(consent=False)  # before the claim: a refusal leaves no trace
        with journal.claimed(take_over=take_over, lookout=lookout, say=run.say):
            if accept_different_numerics:
                run.check_numerics(consent=True)
            run.give_up_lost_choices()
            yield run
