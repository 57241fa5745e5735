"""What tasks of one process share: the store, a claimed run, one loaded model.

A run is opened and claimed once, by the outermost `working()`; flows and tasks inside find it in
the context of their call. So a claim lasts as long as the work does, and a second worker is told
at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from musiccore.journal.heartbeat import Lookout
from musiccore.journal.journal import Journal
from musiccore.models.config import ModelConfig
from musiccore.request.request import GenerationRequest
from musiccore.storage.store import Store, open_store
from musiccore.takes.takes import Facts
from musiccore.takes.tree import Tree
from musiccore.work.progress import Careful, Reporter, Silent, reporter
from musiccore.work.stop import SafeStop
from tasks.models import Models
from tasks.packs import shared_passes
from tasks.runs import Primer, run_numerics
from tasks.settings import Settings
from tasks.trees import choices_of, facts_of


class OpenRun:
    """A run that this process has claimed.

    Attributes:
        settings: of this process.
        journal: the claimed log.
        facts: what the run says about itself.
        request: what was asked for.
        config: of the model.
        root: the store.

    Args:
        settings: of this process.
        journal: the log; claimed, unless nothing is going to be written.
        models: networks of the run's model, if they are loaded already.
    """

    def __init__(self, settings: Settings, journal: Journal, models: Models | None = None) -> None:
        self.settings = settings
        self.journal = journal
        self.facts: Facts = facts_of(journal.record)
        self.request: GenerationRequest = self.facts.request
        self.config: ModelConfig = self.facts.config
        self.root = shared_store(settings)
        self._choices = choices_of(self.root, journal.record)
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
            passes = shared_passes()
            shared = None if passes is None else passes.models
            if shared is not None and shared.config == self.config:
                self._models = shared
            else:
                self._models = Models(self.config, self.settings)
        return self._models

    def drop_prior(self) -> None:
        """Let the memory of the prior go, if one is loaded and nobody shares it."""
        if self._models is not None and shared_passes() is None:
            self._models.drop_prior()

    def give_up_lost_choices(self, say: Callable[[str], None]) -> None:
        """Mark the end of what was chosen where choices were lost, and say which.

        Args:
            say: told one sentence per loss.
        """
        self._choices.read()
        losses = self._choices.losses(self.journal.given_up["choices"])
        if losses:
            self.journal.append("repair", choices=[*self._choices.give_up()])
        for sentence in losses:
            say(f"run {self.run_id}: {sentence}")

    def check_numerics(self, *, consent: bool) -> None:
        """Compare what decides the numbers here with what the run began with.

        Raises:
            ConfigError: if they differ and there is no consent.
        """
        record = self.journal.record
        primer, pack = Primer.recorded(record), record.numerics.get("pack")
        numerics = run_numerics(self.request, self.config, self.models, primer, pack)
        self.journal.check_numerics(numerics, self.models.digests(), consent=consent)


_current: ContextVar[OpenRun | None] = ContextVar("open_run", default=None)


def shared_store(settings: Settings | None = None) -> Store:
    """Open the store of the settings; nothing is read or written yet."""
    return open_store((settings or Settings.from_environment()).store)


def present_store(settings: Settings | None = None) -> Store:
    """Open a store that somebody wants to read.

    Raises:
        NotFound: if it is not there; an empty answer would say that nothing is lost.
    """
    store = shared_store(settings)
    store.require()
    return store


def new_store(settings: Settings | None = None) -> Store:
    """Open a store that somebody wants to write; it is made where there is none.

    Raises:
        NotFound: if not even the folder is there that it would lie in, as of a missing drive.
    """
    store = shared_store(settings)
    store.require_place()
    return store


def current_run(run_id: str) -> OpenRun | None:
    """Return the run if this call is inside its `working()`."""
    run = _current.get()
    return run if run is not None and run.run_id == run_id else None


@contextmanager
def working(
    run_id: str,
    *,
    take_over: bool = False,
    accept_different_numerics: bool = False,
    lookout: Lookout | None = None,
) -> Iterator[OpenRun]:
    """Claim a run for the `with` block, or share the claim that this call is already inside.

    Args:
        run_id: the run.
        take_over: claim it although another worker seems to be at work.
        accept_different_numerics: continue on a machine with other numbers, and record it.
        lookout: watches the workers of several runs at once.

    Raises:
        NotFound: if there is no such run.
        Fenced: if another worker is at work on it.
        ConfigError: if this machine would compute other numbers.
    """
    shared = current_run(run_id)
    if shared is not None:
        yield shared
        return
    settings = Settings.from_environment()
    with Journal.open(open_store(settings.store), run_id) as journal:
        run = OpenRun(settings, journal)
        if not accept_different_numerics:
            run.check_numerics(consent=False)  # before the claim: a refusal leaves no trace
        say = task_reporter().say
        with journal.claimed(take_over=take_over, lookout=lookout, say=say):
            if accept_different_numerics:
                run.check_numerics(consent=True)
            run.give_up_lost_choices(say)
            note_flow_run(journal)
            token = _current.set(run)
            try:
                yield run
            finally:
                _current.reset(token)


def flow_run_id() -> str:
    """Return the id of the deployed Prefect run that this call is part of; empty for none."""
    prefect = sys.modules.get("prefect.runtime")
    if prefect is None:
        return ""
    try:
        from prefect.runtime import deployment, flow_run

        if deployment.id is None:
            return ""
        return str(flow_run.root_flow_run_id or flow_run.id or "")
    except Exception:  # a server that does not answer never stops the music
        return ""


def note_flow_run(journal: Journal) -> None:
    """Record which Prefect run holds the claim, so that its ghost can be recognised."""
    found = flow_run_id()
    if found:
        journal.append("flow_run", id=found)


def task_reporter() -> Reporter:
    """Return where a task shows its progress: the reporter of the command, or the run log."""
    installed = reporter()
    if installed is not None:
        return Careful(installed)
    try:
        from tasks.reporting import FlowReporter

        return Careful(FlowReporter())
    except Exception:  # outside a flow run there is no log; progress never fails the work
        return Silent()


def safe_stop() -> SafeStop:
    """Return the stop that a task asks at safe points."""
    return SafeStop(task_reporter().say)
