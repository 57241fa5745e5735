"""`generate`, `compose`, `upsample` and `resume`: the commands that make music."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping

from flows.cli.ending import end_run, end_without_store, is_delivered, is_gone
from flows.cli.output import Exit, checking, complain, data_json, talk
from flows.cli.progress_bar import shown
from flows.cli.request import request_of
from flows.cli.signals import conclude, is_interruption, stoppable
from flows.cli.time_budget import session_budget
from flows.embedded import Session, check_server, prepare
from musiccore.errors import ConfigError, Fenced, Gone, MusicCoreError, StorageError
from musiccore.journal.heartbeat import Lookout
from musiccore.journal.journal import Journal
from musiccore.journal.run_log import PATIENCE_SECONDS
from musiccore.models.config import ModelConfig
from musiccore.request.check import conditioning_notes
from musiccore.request.request import GenerationRequest
from musiccore.runs.choices import make_choice, read_tree
from musiccore.runs.create import check_request, fresh_run_id, new_run_id, run_exists, start
from musiccore.runs.deliveries import hurt_runs, is_hurt
from musiccore.runs.open_run import OpenRun
from musiccore.runs.status import describe_run, unfinished_runs, unreadable_runs, waiting_runs
from musiccore.storage.store import Store
from musiccore.takes.choice import Choice
from musiccore.timecode import parse_hours
from musiccore.work.progress import Reporter
from tasks.context import new_store, present_store, shared_store, working
from tasks.settings import machine

Work = Callable[[str], object]


def generate(options: Namespace) -> int:
    return _begin(options, fresh=True)


def compose(options: Namespace) -> int:
    if options.choose is None:
        options.choose = "wait"
    if options.after is not None:
        options.choose_after_hours = parse_hours(options.after, "--after")
    return _begin(options, fresh=False)


def _begin(options: Namespace, *, fresh: bool) -> int:
    """Check a request, make its run and carry it out."""
    try:
        run_id, request, config = _new_run(options, fresh=fresh)
    except BaseException as error:
        if not is_interruption(error):
            raise
        return _unbegun()
    return _make(options, run_id, request, config)


def _unbegun() -> int:
    talk("interrupted before anything was begun")
    return Exit.UNBEGUN


def _new_run(options: Namespace, *, fresh: bool) -> tuple[str, GenerationRequest, ModelConfig]:
    """Check a request and the place where it will be made; nothing is written yet."""
    with checking():
        request = request_of(options)
        config = check_request(request, machine())
        run_id = new_run_id(request) if options.run is None else fresh_run_id(options.run)
        store = new_store()
        if fresh and run_exists(store, run_id):
            raise ConfigError(
                f"run: {run_id} exists already",
                hint=f"continue it with `jukeflow resume {run_id}`, or choose another name",
            )
        check_server()
        store.probe()
    return run_id, request, config


def _make(options: Namespace, run_id: str, request: GenerationRequest, config: ModelConfig) -> int:
    store = shared_store()

    def work(name: str) -> object:
        return _generate_flow(request, name)

    def begin(report: Reporter) -> None:
        with checking():
            start(store, request, run_id, machine(), config=config)
        report.say(f"run {run_id} in {store.location()}")
        for words in conditioning_notes(request, config, machine().labels):
            report.say(words)

    return _carry(options, run_id, work, begin)


def _carry(
    options: Namespace, run_id: str, work: Work, begin: Callable[[Reporter], None] | None = None
) -> int:
    """Do the work of one run here and now, and say how it ended."""
    with stoppable():
        try:
            with session_budget(options), prepare() as session, shown() as report:
                if begin is not None:
                    begin(report)
                code = _finish(options, session, report, run_id, work)
                conclude()
        except BaseException as error:
            conclude()
            if not is_interruption(error):
                raise
            return _cut_short(options, run_id)
        return _end(options, run_id, code)


def _cut_short(options: Namespace, run_id: str) -> int:
    """Say how a run stands that was interrupted between two steps, where nobody looked after it."""
    try:
        there = run_exists(shared_store(), run_id)
    except MusicCoreError:  # it cannot be read, or its store is gone
        there = True
    return _end(options, run_id, Exit.INTERRUPTED) if there else _unbegun()


def upsample(options: Namespace) -> int:
    with checking():
        run_id = _existing(options.run)
        if options.take is not None:
            data_of = {
                "action": "upsample",
                "takes": [options.take],
                "copies": options.copies,
                "anew": options.anew,
            }
            labels = machine().labels
            make_choice(
                shared_store(), run_id, Choice.parse(data_of), by="command", label_tables=labels
            )
    return continue_run(options, run_id)


def continue_run(options: Namespace, run_id: str) -> int:
    """Continue one run here and now, and say how it ended."""
    return _carry(options, run_id, _resume_flow)


def _generate_flow(request: GenerationRequest, run_id: str) -> object:
    if request.choose == "wait" or request.choose_after_hours:
        from flows.compose import compose as flow
    else:
        from flows.generate import generate as flow

    return flow(request, run_id)


def _resume_flow(run_id: str) -> object:
    from flows.resume import resume as flow

    return flow(run_id)


def resume(options: Namespace) -> int:
    with checking():
        store = present_store()
        names = [] if options.run is None else [_existing(options.run)]
    unreadable = {} if options.run else unreadable_runs(store)
    if options.run is None:
        names = _unfinished(store, unreadable)
    if not names:
        return _nothing_to_do(options, store, bool(unreadable))
    if options.run is not None and _is_whole(store, options.run):
        return end_run(options, options.run, Exit.DONE)
    lookout = Lookout(PATIENCE_SECONDS)
    codes = []
    with stoppable():
        try:
            with session_budget(options), prepare() as session:
                for run_id in _in_turn(store, names, lookout):
                    codes.append(_resume_one(options, session, run_id, lookout))
                    if codes[-1] == Exit.INTERRUPTED:
                        break
                conclude()
        except BaseException as error:
            conclude()
            if options.run is None or not is_interruption(error):
                raise
            return _cut_short(options, options.run)
    worst = (Exit.INTERRUPTED, Exit.FAILED, Exit.WAITING)
    return next((code for code in worst if code in codes), Exit.DONE)


def _unfinished(store: Store, unreadable: Mapping[str, str]) -> list[str]:
    """Return the runs with something to do or to make again; say what is wrong with which."""
    for run_id, why in unreadable.items():
        talk(
            f"run {run_id} cannot be read: {why}; `jukeflow verify {run_id} --store "
            f"{store.location()}` lists what is there"
        )
    names, hurt = unfinished_runs(store), hurt_runs(store)
    for run_id, files in hurt.items():
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        talk(f"run {run_id} lacks {files[0]}{more}, made before; it is made again")
    return [*names, *(run_id for run_id in hurt if run_id not in names)]


def _is_whole(store: Store, run_id: str) -> bool:
    """Return whether nothing is to be done in a run, and nothing to be made again."""
    status = describe_run(store, run_id)
    if status.state not in ("done", "waiting") or status.message:
        return False
    return not is_hurt(Journal.open(store, run_id), read_tree(store, run_id))


def _in_turn(store: Store, names: list[str], lookout: Lookout) -> list[str]:
    """Return the runs in the order in which they can go on; what is waited for is watched now."""
    order: dict[bool | None, list[str]] = {False: [], None: [], True: []}
    for run_id in names:
        order[Journal.open(store, run_id).holder(lookout)].append(run_id)
    if len(order[None]) > 1:
        talk(
            f"waiting for the last workers of {len(order[None])} runs on other machines, all at "
            f"the same time: {', '.join(order[None])}"
        )
    return [*order[False], *order[None], *order[True]]


def _nothing_to_do(options: Namespace, store: Store, unreadable: bool) -> int:
    waiting = waiting_runs(store)
    talk(f"nothing{' else' * unreadable} is unfinished in {store.location()}")
    for run_id in waiting:
        talk(f"run {run_id} waits for your choice")
    if options.json:
        state = "waiting" if waiting else "done"
        place = {"store": store.location(), "master": None, "waiting": waiting}
        data_json({"run": waiting[0] if waiting else None, "state": state, **place})
    return Exit.WAITING if waiting else Exit.DONE


def _resume_one(options: Namespace, session: Session, run_id: str, lookout: Lookout) -> int:
    alone = options.run is not None
    try:
        with shown() as report:
            report.say(f"continuing run {run_id}")
            code = _finish(options, session, report, run_id, _resume_flow, lookout)
            if alone or code == Exit.INTERRUPTED:
                conclude()
        return _end(options, run_id, code)
    except Fenced as error:
        if alone:
            raise
        talk(f"{error.message}; left alone")
        return Exit.DONE
    except MusicCoreError as error:
        if alone:
            raise
        complain(error)
        return Exit.FAILED


def _existing(run_id: str) -> str:
    describe_run(present_store(), run_id)
    return run_id


def _finish(
    options: Namespace,
    session: Session,
    report: Reporter,
    run_id: str,
    work: Work,
    lookout: Lookout | None = None,
) -> int:
    """Claim the run, load what it needs while Prefect starts, and do the work.

    Returns:
        How it ended: done, or interrupted by a person, a budget, or a store that went away.
    """
    store = shared_store()
    try:
        with working(
            run_id,
            take_over=getattr(options, "take_over", False),
            accept_different_numerics=getattr(options, "accept_different_numerics", False),
            lookout=lookout,
        ) as run:
            _warm_up(run)
            with session.flows():
                work(run_id)
    except StorageError as error:
        if not isinstance(error, Gone) and not is_gone(store, run_id):
            raise
        return end_without_store(options, run_id, error)
    except BaseException as error:
        interrupted = is_interruption(error)
        if (isinstance(error, MusicCoreError) and not interrupted) or not (
            interrupted or isinstance(error, Exception)
        ):
            raise
        if is_delivered(store, run_id):  # whatever came afterwards: the song is there
            if not interrupted:
                talk(f"warning: after the song was finished: {type(error).__name__}: {error}")
            return Exit.DONE
        if not interrupted:
            raise
        report.say(str(error) or "interrupted")
        return Exit.INTERRUPTED
    return Exit.DONE


def _end(options: Namespace, run_id: str, code: int) -> int:
    """Say how a run ended, unless it was said because its store is gone."""
    if code == Exit.INTERRUPTED and is_gone(shared_store(), run_id):
        return code
    return end_run(options, run_id, code)


def _warm_up(run: OpenRun) -> None:
    """Load the first network that the run needs: the server is starting meanwhile."""
    tree = run.tree()
    level = run.config.levels - 1
    if tree.pending and tree.pending[0].choice.action in ("upsample", "redo", "audition"):
        done = {event.fields.get("level") for event in run.journal.events_of("level_done")}
        level = next((n for n in reversed(range(level)) if n not in done), 0)
    run.models.prior(level)
