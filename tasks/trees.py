"""The tree of a run as it stands in the store, and the one way to write a choice."""

from __future__ import annotations

from musiccore.branching import check_choice
from musiccore.choices import Choice, ChoiceLog, MadeChoice, Maker
from musiccore.config import ModelConfig
from musiccore.errors import ConfigError
from musiccore.journal import Journal
from musiccore.manifest import RunRecord
from musiccore.request import GenerationRequest
from musiccore.storage import Store
from musiccore.tree import Facts, Tree
from musiccore.units import samples_to_codes
from tasks.runs import Primer


def facts_of(record: RunRecord) -> Facts:
    """Return what a run says about itself."""
    request = GenerationRequest.model_validate(dict(record.request))
    config = ModelConfig.from_name(request.model)
    primer = Primer.recorded(record)
    known = 0 if primer is None else samples_to_codes(primer.n_samples, config.top.hop_length)
    return Facts(request=request, config=config, primer_codes=known)


def choices_of(store: Store, record: RunRecord) -> ChoiceLog:
    """Return the choices of a run.

    Args:
        store: the store's root.
        record: of the run.
    """
    return ChoiceLog(store, record.run_id, run_record=record.to_bytes())


def tree_of(store: Store, journal: Journal) -> Tree:
    """Return the tree of a run whose log is open."""
    choices = choices_of(store, journal.record).read()
    return Tree.of(facts_of(journal.record), journal.events, choices)


def read_tree(store: Store, run_id: str) -> Tree:
    """Return the tree of a run.

    Raises:
        ConfigError: if the run id is not one.
        NotFound: if there is no such run.
        Corrupt: if a record is damaged or missing.
    """
    return tree_of(store, Journal.open(store, run_id))


def make_choice(
    store: Store,
    run_id: str,
    choice: Choice,
    *,
    by: Maker,
    who: str = "",
    round_number: int | None = None,
    seen: int | None = None,
    branch: bool = False,
) -> MadeChoice:
    """Check a choice and write it; it is durable when this returns.

    Args:
        store: the store's root.
        run_id: the run.
        choice: what is chosen.
        by: where it was made.
        who: name of the person.
        round_number: round that it answers; by default that of its take.
        seen: number of the last choice that its maker knew of; all of them by default.
        branch: choose although somebody chose otherwise meanwhile; both remain.

    Raises:
        ConfigError: if it cannot be carried out; nothing is written.
        Conflict: if it contradicts a choice that its maker had not seen; nothing is written.
        StorageError: if it could not be stored.
    """
    journal = Journal.open(store, run_id)
    tree = tree_of(store, journal)
    if seen is not None and seen > tree.seen:
        raise ConfigError(f"seen is {seen}; run {run_id} has {tree.seen} choices")
    check_choice(tree, choice)
    number = tree.round_of(choice) if round_number is None else round_number
    if number not in tree.rounds:
        raise ConfigError(f"round is {number}; run {run_id} has rounds 1 to {max(tree.rounds)}")
    log = choices_of(store, journal.record)
    return log.append(choice, round_number=number, by=by, who=who, seen=seen, branch=branch)
