"""`runs`, `show` and `verify`: what is there, and whether it is sound."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict

from flows.cli.output import Exit, checking, data, data_json, table, talk
from musiccore.runs.mend import mend_run
from musiccore.runs.restore import told_records
from musiccore.runs.status import RunStatus, describe_run, describe_runs
from musiccore.runs.verify import Verification, verify_run
from musiccore.storage.store import validate_run_id
from tasks.context import present_store


def runs(options: Namespace) -> int:
    with checking():
        store = present_store()
    found = describe_runs(store)
    if options.json:
        data_json([status.to_json() for status in found])
    elif not found:
        talk(f"no runs in {store.location()}")
    else:
        rows = [(s.run, s.state, _progress(s), s.created, s.message or s.title) for s in found]
        data(table(rows, ("run", "state", "windows", "created", "title")))
    return Exit.DONE


def show(options: Namespace) -> int:
    with checking():
        status = describe_run(present_store(), validate_run_id(options.run))
    if options.json:
        data_json(status.to_json())
        return Exit.DONE
    data(f"run      {status.run}")
    if status.title:
        data(f"title    {status.title}")
    data(f"state    {status.words}")
    data(f"model    {status.model}, seed {status.seed}")
    chosen = "none chosen" if status.take is None else f"take {status.take} sent to upsampling"
    data(f"takes    {status.takes}, {chosen}")
    for level in reversed(status.levels):
        digest = "" if level.codes_sha256 is None else f", sha256 {level.codes_sha256[:16]}"
        data(
            f"level {level.level}  {level.windows_done} of {level.windows} windows, "
            f"{level.n_codes} codes{digest}"
        )
    for one in status.masters:
        gone = ", missing" * (one.path in status.missing)
        data(f"song     {one.path} ({one.seconds:.2f} s){gone}")
        for path in one.others:
            data(f"         {path}{', missing' * (path in status.missing)}")
        if one.page:
            data(f"page     {one.page}{', missing' * (one.page in status.missing)}")
    said = {path for one in status.masters for path in (one.path, *one.others, one.page)}
    for path in status.missing:
        if path not in said:
            data(f"missing  {path}")
    for sentence in filter(None, status.message.split("; ")):
        talk(f"note: {sentence}")
    _say_next(status)
    return Exit.DONE


def _say_next(status: RunStatus) -> None:
    """Say what can be done with a run as it stands."""
    resume = f"`jukeflow resume {status.run} --store {status.store}`"
    if status.state == "waiting":
        takes = ", ".join(map(str, status.waiting_takes))
        talk(f"hint: listen to takes {takes} with `jukeflow listen {status.run}`, then choose")
    if status.missing:
        talk(f"hint: make what is missing again with {resume}")
    elif status.state in ("running", "unfinished"):
        talk(f"hint: continue with {resume}")


def verify(options: Namespace) -> int:
    with checking():
        store, run_id = present_store(), validate_run_id(options.run)
        report = verify_run(store, run_id)
    done: tuple[str, ...] = ()
    if options.repair:
        mended = mend_run(
            store,
            run_id,
            take_over=options.take_over,
            say=talk,
            told=lambda: told_records(store, run_id),
        )
        done, report = mended.done, mended.report
    if options.json:
        data_json(
            {
                "run": report.run_id,
                "sound": report.sound,
                "records": report.n_records,
                "choices": report.n_choices,
                "blobs": report.n_blobs,
                "bytes": report.n_bytes,
                "unreferenced": report.n_unreferenced,
                "doubts": [asdict(doubt) for doubt in report.doubts],
                **({"repaired": list(done)} if options.repair else {}),
            }
        )
    else:
        for sentence in done:
            data(f"repaired: {sentence}")
        for doubt in report.doubts:
            data(f"{doubt.key} {doubt.message}")
        verdict = "sound" if report.sound else f"{len(report.doubts)} doubts"
        data(
            f"{report.run_id}: {report.n_records} records, {report.n_blobs} blobs, "
            f"{report.n_bytes} bytes read: {verdict}"
        )
    _say_way_on(report, store.location(), repaired=options.repair)
    return Exit.DONE if report.sound else Exit.FAILED


def _say_way_on(report: Verification, place: str, *, repaired: bool) -> None:
    """Say what helps a run that is in doubt, or that was just repaired."""
    if repaired and report.sound:
        talk(
            f"hint: `jukeflow resume {report.run_id} --store {place}` makes again what was given "
            "up, where it is needed"
        )
    elif not repaired and not report.sound:
        talk(
            f"hint: `jukeflow verify {report.run_id} --repair --store {place}` goes back to what "
            "is sound; damaged bytes are set aside, nothing is deleted"
        )


def _progress(status: RunStatus) -> str:
    done = sum(level.windows_done for level in status.levels)
    return f"{done}/{sum(level.windows for level in status.levels)}"
