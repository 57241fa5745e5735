"""Runs as they stand: from their logs and choices alone, without weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from musiccore.errors import ConfigError, MusicCoreError, StorageError
from musiccore.journal.heartbeat import Worker
from musiccore.journal.journal import Journal
from musiccore.journal.records import Event
from musiccore.journal.runs import list_runs
from musiccore.runs.choices import tree_and_losses, tree_of
from musiccore.runs.deliveries import missing_files
from musiccore.sampling.windows import pieces, plan_windows
from musiccore.storage.sealed import Json
from musiccore.storage.store import Store
from musiccore.takes.takes import Rendition, Round
from musiccore.takes.tree import Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelStatus:
    """One level of what a run is working on.

    Attributes:
        codes_sha256: digest of the codes of all its takes; None until the level is done.
        n_codes: codes per take.
        windows_done, windows: a window counts when all its batches are there.
    """

    level: int
    codes_sha256: str | None
    n_codes: int
    windows_done: int
    windows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MasterStatus:
    """A finished song.

    Attributes:
        path: its best file.
        pcm_sha256: digest of its samples.
        seconds: length.
        sample_rate: Hz.
        take: number of the take that it is made of.
        page: its page; empty if it could not be written.
        others: the same song in other formats.
        there: whether the best file is where it was delivered.
    """

    path: str
    pcm_sha256: str
    seconds: float
    sample_rate: int
    take: int = 0
    page: str = ""
    others: tuple[str, ...] = ()
    there: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStatus:
    """A run as it stands; `to_json` is what programs read.

    Attributes:
        state: `done`, `waiting` (for a choice), `running` (a live worker of this machine),
            `unfinished`, or `damaged`.
        takes: of the first round.
        take: number of the take that was sent to upsampling last; None before the first.
        round: number of the round that is looked at.
        message: what is damaged or lost, in sentences; empty where nothing is.
        words: the state in one sentence.
        waiting_takes: takes of the round, if a person has to choose.
        missing: files of songs and takes that were written and are gone, or not whole.
    """

    run: str
    title: str
    state: str
    created: str
    model: str
    store: str
    seed: int
    takes: int
    take: int | None
    levels: tuple[LevelStatus, ...]
    master: MasterStatus | None
    page: str | None
    message: str = ""
    round: int = 1
    words: str = ""
    waiting_takes: tuple[int, ...] = ()
    masters: tuple[MasterStatus, ...] = field(default=())
    missing: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Return the JSON form."""
        value = asdict(self)
        for name in ("levels", "masters", "waiting_takes", "missing"):
            value[name] = list(value[name])
        return value


def describe_run(store: Store, run_id: str) -> RunStatus:
    """Return a run as it stands; reads the log, no weights.

    Raises:
        NotFound: if there is no such run.
        Corrupt: if its log is damaged.
    """
    journal = Journal.open(store, run_id)
    tree, losses = tree_and_losses(store, journal)
    return describe(store, journal, tree, losses)


def describe(store: Store, journal: Journal, tree: Tree, losses: tuple[str, ...] = ()) -> RunStatus:
    """Return a run whose log and choices were read.

    Args:
        store: the store's root.
        journal: its log.
        tree: what log and choices amount to.
        losses: sentences about what of them is lost.
    """
    song = tree.current_song
    songs = [r for r in tree.renditions if r.exported is not None]
    done = tree.state == "done" and not tree.policy_due()
    export = song.exported if song is not None and done else None
    state = _state(journal, tree)
    here = tree.rounds[tree.position]
    return RunStatus(
        run=journal.run_id,
        title=journal.record.title,
        state=state,
        created=journal.record.created,
        model=tree.facts.request.model,
        store=store.location(),
        seed=journal.record.seed,
        takes=tree.facts.request.takes,
        take=None if song is None else song.take,
        levels=tuple(_levels(journal, tree, song)),
        master=None if export is None else _master(journal, export),
        page=None if export is None else page_of(journal, export) or None,
        message="; ".join(losses),
        round=tree.position,
        words=_words(tree, state, here),
        waiting_takes=tree.open_takes if state == "waiting" else (),
        masters=tuple(
            master
            for r in songs
            if r.exported is not None and (master := _master(journal, r.exported)) is not None
        ),
        missing=missing_files(journal, tree),
    )


def describe_runs(store: Store) -> list[RunStatus]:
    """Return every run of a store; damaged ones say what is wrong."""
    found = []
    for run_id in list_runs(store):
        try:
            found.append(describe_run(store, run_id))
        except (StorageError, ConfigError) as error:
            found.append(
                RunStatus(
                    run=run_id,
                    title="",
                    state="damaged",
                    created="",
                    model="",
                    store=store.location(),
                    seed=0,
                    takes=0,
                    take=None,
                    levels=(),
                    master=None,
                    page=None,
                    message=error.message,
                    words=error.message,
                )
            )
    return found


def unfinished_runs(store: Store) -> list[str]:
    """Return the runs in which a worker still has something to do, oldest first."""
    found = []
    for run_id in list_runs(store):
        try:
            journal = Journal.open(store, run_id)
            tree = tree_of(store, journal)
        except StorageError:
            continue
        if tree.state == "working" or tree.policy_due():
            found.append((journal.record.created, run_id))
    return [run_id for _, run_id in sorted(found)]


def unreadable_runs(store: Store) -> dict[str, str]:
    """Return run → what is wrong, for those of which not even the log can be read."""
    found = {}
    for run_id in list_runs(store):
        try:
            tree_of(store, Journal.open(store, run_id))
        except MusicCoreError as error:
            found[run_id] = error.message
    return found


def waiting_runs(store: Store) -> list[str]:
    """Return the runs that wait for a person, oldest first."""
    found = [one for one in describe_runs(store) if one.state == "waiting"]
    return [one.run for one in sorted(found, key=lambda one: (one.created, one.run))]


def is_running(journal: Journal) -> bool:
    """Return whether a live process of this machine holds the run."""
    claim = journal.claim_in_force
    worker = None if claim is None else Worker.from_json(claim.fields.get("worker"))
    return worker is not None and worker.is_alive() is True


def _state(journal: Journal, tree: Tree) -> str:
    if tree.state == "working" or tree.policy_due():
        return "running" if is_running(journal) else "unfinished"
    return tree.state


def _words(tree: Tree, state: str, here: Round) -> str:
    if state == "waiting":
        n = len(tree.open_takes)
        return f"round {here.number}: {n} take{'s' * (n != 1)} wait{'s' * (n == 1)} for your choice"
    if state == "done":
        song = tree.current_song
        assert song is not None
        again = f", upsampling {song.version + 1}" if song.version else ""
        return f"finished: take {song.take}{again}"
    doing = "working" if state == "running" else "interrupted"
    if not tree.pending:
        return f"{doing}: round {here.number}"
    return f"{doing}: {tree.pending[0].choice.in_words()}"


def _levels(journal: Journal, tree: Tree, song: Rendition | None) -> list[LevelStatus]:
    """Return the levels of the last song, or of the round that is looked at before the first."""
    config, request = tree.facts.config, tree.facts.request
    top, hops = config.levels - 1, request.window_hops(config)
    here = tree.rounds[tree.takes[song.take].round if song is not None else tree.position]
    limit = request.batch_limits(config)[top]
    found = []
    for level, prior in enumerate(config.priors):
        if level == top:
            rows = [take - 1 for take in here.takes]
            windows, batches = len(here.windows(tree.facts)), len(pieces(len(rows), limit))
            n_codes = here.n_codes
        else:
            rows = [song.row] if song is not None else []
            factor = config.top.hop_length // prior.hop_length
            n_codes, batches = here.n_codes * factor, 1
            known = 0 if song is None else tree.known_codes(song) * factor
            enough = n_codes >= prior.n_ctx
            windows = (
                len(plan_windows(n_codes, prior.n_ctx, hops[level], n_known=known)) if enough else 0
            )
        done = [
            event
            for event in journal.events_of("level_done")
            if event.fields.get("level") == level
            and event.fields.get("takes") == rows
            and "label" not in event.fields
        ]
        digest = done[-1].fields.get("codes_sha256") if done else None
        sampled = {
            (event.fields.get("group"), event.fields.get("index"))
            for event in journal.events_of("window")
            if event.fields.get("level") == level and _concerns(event, rows)
        }
        indices = {index for _, index in sampled}
        whole = sum(sum(i == index for _, i in sampled) >= batches for index in indices)
        found.append(
            LevelStatus(
                level=level,
                codes_sha256=digest if isinstance(digest, str) else None,
                n_codes=n_codes,
                windows_done=windows if done else min(whole, windows),
                windows=windows,
            )
        )
    return found


def _concerns(event: Event, rows: list[int]) -> bool:
    takes = event.fields.get("takes")
    return isinstance(takes, list) and bool(takes) and all(take in rows for take in takes)


def _master(journal: Journal, export: Event) -> MasterStatus | None:
    master = export.fields.get("master")
    if not isinstance(master, dict):
        return None
    best, location = str(master["path"]), journal.store.location
    kinds = _kinds(export)
    others = [path for path, kind in kinds.items() if kind == "master" and path != best]
    return MasterStatus(
        path=location(best),
        take=int(str(export.fields.get("take", 0))),
        page=page_of(journal, export),
        others=tuple(location(path) for path in others),
        there=journal.store.exists(best),
        pcm_sha256=str(master["pcm_sha256"]),
        seconds=float(str(master["seconds"])),
        sample_rate=int(str(master["sample_rate"])),
    )


def page_of(journal: Journal, export: Event) -> str:
    """Return where the page of a delivered song lies; empty if it was delivered without one."""
    path = f"{export.fields.get('folder', 'export')}/index.html"
    return journal.store.location(path) if path in _kinds(export) else ""


def _kinds(export: Event) -> dict[str, Json]:
    """Return path → kind of every delivered file."""
    files = export.fields.get("files")
    listed = files if isinstance(files, list) else []
    return {str(file["path"]): file["kind"] for file in listed if isinstance(file, dict)}
