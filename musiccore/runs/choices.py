"""The tree of a run as it stands in the store, and the one way to write a choice."""

from __future__ import annotations

from pathlib import Path

from musiccore.errors import ConfigError, Corrupt
from musiccore.journal.journal import Journal
from musiccore.journal.manifest import RunRecord
from musiccore.models.presets import preset
from musiccore.request.request import GenerationRequest
from musiccore.runs.create import Primer
from musiccore.storage.store import Store
from musiccore.takes.choice import Choice, MadeChoice, Maker
from musiccore.takes.choice_log import ChoiceLog
from musiccore.takes.rounds import check_choice, settled
from musiccore.takes.takes import Facts
from musiccore.takes.tree import Tree
from musiccore.units import samples_to_codes


def facts_of(record: RunRecord) -> Facts:
    """Return what a run says about itself.

    Raises:
        Corrupt: if its request is none that this version knows.
    """
    try:
        request = GenerationRequest.parse(dict(record.request))
    except ConfigError as error:
        raise Corrupt(
            f"its request is none that this version knows: {error.message}", hint="update jukeflow"
        ) from error
    config = preset(request.model)
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
    return tree_and_losses(store, journal)[0]


def tree_and_losses(store: Store, journal: Journal) -> tuple[Tree, tuple[str, ...]]:
    """Return the tree of a run whose log is open, and in sentences what of the run is lost."""
    choices = choices_of(store, journal.record)
    tree = Tree.of(facts_of(journal.record), journal.events, choices.read())
    return tree, (*journal.losses(), *choices.losses(journal.given_up["choices"]))


def read_tree(store: Store, run_id: str) -> Tree:
    """Return the tree of a run.

    Raises:
        ConfigError: if the run id is not one.
        NotFound: if there is no such run.
        Corrupt: if what is sound of its records does not fit together.
    """
    return tree_of(store, Journal.open(store, run_id))


def check_wanted(
    tree: Tree,
    choice: Choice,
    *,
    label_tables: Path | None = None,
    round_number: int | None = None,
    seen: int | None = None,
) -> int:
    """Check a choice; nothing is written.

    Args:
        tree: of the run.
        choice: what is wanted.
        label_tables: folder of artist and genre tables, None without one.
        round_number: round that it answers; by default that of its take.
        seen: number of the last choice that its maker knew of.

    Returns:
        The number of the round that it answers.

    Raises:
        ConfigError: if it cannot be carried out; the message names the field.
    """
    if seen is not None and not 0 <= seen <= tree.seen:
        raise ConfigError(f"seen is {seen}; the run has {tree.seen} choices")
    return check_choice(tree, choice, round_number=round_number, label_tables=label_tables)


def make_choice(
    store: Store,
    run_id: str,
    choice: Choice,
    *,
    by: Maker,
    label_tables: Path | None = None,
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
        label_tables: folder of artist and genre tables, None without one.
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
    return write_choice(
        tree_of(store, journal),
        choices_of(store, journal.record),
        choice,
        by=by,
        label_tables=label_tables,
        who=who,
        round_number=round_number,
        seen=seen,
        branch=branch,
    )


def write_choice(
    tree: Tree,
    log: ChoiceLog,
    choice: Choice,
    *,
    by: Maker,
    label_tables: Path | None = None,
    who: str = "",
    round_number: int | None = None,
    seen: int | None = None,
    branch: bool = False,
) -> MadeChoice:
    """Check a choice against a tree that was read, and write it, as `make_choice` does.

    Args:
        tree: of the run.
        log: its choices.
        choice, by, label_tables, who, round_number, seen, branch: as for `make_choice`.

    Raises:
        ConfigError, Conflict, StorageError: as for `make_choice`.
    """
    number = check_wanted(
        tree, choice, label_tables=label_tables, round_number=round_number, seen=seen
    )
    choice = settled(tree, choice)
    return log.append(choice, round_number=number, by=by, who=who, seen=seen, branch=branch)
