"""`generate`, `compose`, `upsample` and `resume`: the commands that make music."""

from __future__ import annotations

import signal
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict

from flows.cli.budget import hand_over, session_budget, time_left
from flows.cli.choosing import show_candidates
from flows.cli.output import Exit, checking, complain, data, data_json, talk
from flows.cli.progress import shown
from flows.cli.request import request_of
from flows.embedded import Session, prepare
from musiccore.budgets import LevelLeft
from musiccore.choices import Choice
from musiccore.config import ModelConfig
from musiccore.errors import ConfigError, Fenced, MusicCoreError
from musiccore.request import GenerationRequest
from musiccore.storage import Store, validate_run_id
from musiccore.timecode import parse_hours
from tasks.describing import describe_run, unfinished_runs, waiting_runs
from tasks.models import Models
from tasks.progress import Reporter
from tasks.resources import OpenRun, shared_store, working
from tasks.runs import check_request, create_run, new_run_id, run_exists
from tasks.settings import Settings
from tasks.showing import Picture
from tasks.stopping import Interrupted, interrupt
from tasks.trees import make_choice

Work = Callable[[str], object]


def generate(options: Namespace) -> int:
    run_id, request = _new_run(options, fresh=True)
    return _make(options, run_id, request)


def compose(options: Namespace) -> int:
    if options.choose is None:
        options.choose = "wait"
    if options.after is not None:
        options.choose_after_hours = parse_hours(options.after, "--after")
    run_id, request = _new_run(options, fresh=False)
    return _make(options, run_id, request)


def _new_run(options: Namespace, *, fresh: bool) -> tuple[str, GenerationRequest]:
    """Check a request and the place where it will be made; nothing is written yet."""
    with checking():
        settings = Settings.from_environment()
        request = request_of(options)
        check_request(request, settings)
        run_id = new_run_id(request) if options.run is None else validate_run_id(options.run)
        store = shared_store(settings)
        if fresh and run_exists(store, run_id):
            raise ConfigError(
                f"run: {run_id} exists already",
                hint=f"continue it with `jukeflow resume {run_id}`, or choose another name",
            )
        store.probe()
    return run_id, request


def _make(options: Namespace, run_id: str, request: GenerationRequest) -> int:
    settings, store = Settings.from_environment(), shared_store()
    with stoppable(), session_budget(options), prepare() as session, shown() as report:
        with checking():
            config = ModelConfig.from_name(request.model)
            create_run(store, request, run_id, config, Models(config, settings))
        report.say(f"run {run_id} in {store.location()}")

        def work(name: str) -> object:
            if request.choose == "wait" or request.choose_after_hours:
                from flows.compose import compose as flow
            else:
                from flows.generate import generate as flow

            return flow(request, name)

        code = _finish(options, session, report, run_id, work)
    return _end(options, run_id, code)


def upsample(options: Namespace) -> int:
    with checking():
        run_id = _existing(options.run)
        if options.take is not None:
            data_of = {"action": "upsample", "takes": [options.take], "copies": options.copies}
            make_choice(shared_store(), run_id, Choice.parse(data_of), by="command")
    return continue_run(options, run_id)


def continue_run(options: Namespace, run_id: str) -> int:
    """Continue one run here and now, and say how it ended."""
    with stoppable(), session_budget(options), prepare() as session, shown() as report:
        code = _finish(options, session, report, run_id, _resume_flow)
    return _end(options, run_id, code)


def _resume_flow(run_id: str) -> object:
    from flows.resume import resume as flow

    return flow(run_id)


def resume(options: Namespace) -> int:
    with checking():
        store = shared_store(Settings.from_environment())
        names = unfinished_runs(store) if options.run is None else [_existing(options.run)]
    if not names:
        return _nothing_to_do(options, store)
    if options.run is not None and describe_run(store, options.run).state in ("done", "waiting"):
        return _end(options, options.run, Exit.DONE)
    codes = []
    with stoppable(), session_budget(options), prepare() as session:
        for run_id in names:
            codes.append(_resume_one(options, session, run_id, alone=options.run is not None))
            if codes[-1] == Exit.INTERRUPTED:
                break
    worst = (Exit.INTERRUPTED, Exit.FAILED, Exit.WAITING)
    return next((code for code in worst if code in codes), Exit.DONE)


def _nothing_to_do(options: Namespace, store: Store) -> int:
    waiting = waiting_runs(store)
    talk(f"nothing is unfinished in {store.location()}")
    for run_id in waiting:
        talk(f"run {run_id} waits for your choice")
    if options.json:
        state = "waiting" if waiting else "done"
        place = {"store": store.location(), "master": None, "waiting": waiting}
        data_json({"run": waiting[0] if waiting else None, "state": state, **place})
    return Exit.WAITING if waiting else Exit.DONE


def _resume_one(options: Namespace, session: Session, run_id: str, *, alone: bool) -> int:
    try:
        with shown() as report:
            report.say(f"continuing run {run_id}")
            code = _finish(options, session, report, run_id, _resume_flow)
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
    return _end(options, run_id, code)


def _existing(run_id: str) -> str:
    store = shared_store(Settings.from_environment())
    describe_run(store, validate_run_id(run_id))
    return run_id


@contextmanager
def stoppable() -> Iterator[None]:
    """Let SIGINT and SIGTERM end the work instead of the process."""
    before = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)}
    for signum, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(signum, interrupt)
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def _finish(options: Namespace, session: Session, report: Reporter, run_id: str, work: Work) -> int:
    """Claim the run, load what it needs while Prefect starts, and do the work."""
    try:
        with working(
            run_id,
            take_over=getattr(options, "take_over", False),
            accept_different_numerics=getattr(options, "accept_different_numerics", False),
        ) as run:
            _warm_up(run)
            with session.flows():
                work(run_id)
    except BaseException as error:
        if not is_interruption(error):
            raise
        talk(str(error) or "interrupted")
        return Exit.INTERRUPTED
    return Exit.DONE


def _warm_up(run: OpenRun) -> None:
    """Load the first network that the run needs: the server is starting meanwhile."""
    tree = run.tree()
    level = run.config.levels - 1
    if tree.pending and tree.pending[0].choice.action in ("upsample", "redo", "audition"):
        done = {event.fields.get("level") for event in run.journal.events_of("level_done")}
        level = next((n for n in reversed(range(level)) if n not in done), 0)
    run.models.prior(level)


def is_interruption(error: BaseException) -> bool:
    """Return whether work ended because somebody, or a budget, asked it to."""
    if isinstance(error, KeyboardInterrupt | Interrupted):
        return True
    from prefect.exceptions import TerminationSignal

    return isinstance(error, TerminationSignal)


def _end(options: Namespace, run_id: str, code: int) -> int:
    """Say how it ended and where everything is."""
    picture = Picture.of(shared_store(), run_id)
    status = picture.status
    if code == Exit.DONE and status.state == "waiting":
        show_candidates(picture, options)
        return Exit.WAITING
    master = None if status.master is None else status.master.path
    left: tuple[LevelLeft, ...] = ()
    if code == Exit.INTERRUPTED:
        talk(f"everything finished of run {run_id} is safe in {status.store}")
        left = time_left(
            shared_store(), picture.tree.facts.request, status, Settings.from_environment()
        )
        talk(hand_over(left))
        talk(f"hint: continue with `jukeflow resume {run_id} --store {status.store}`")
    if options.json:
        data_json(
            {
                "run": run_id,
                "state": status.state if code != Exit.INTERRUPTED else "unfinished",
                "store": status.store,
                "master": master,
                "page": status.page,
                "masters": [one.path for one in status.masters],
                "left": [asdict(part) for part in left],
            }
        )
    elif code == Exit.DONE:
        data(f"song: {master}")
        data(f"page: {status.page}")
    return code
