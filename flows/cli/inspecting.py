"""`runs`, `show` and `verify`: what is there, and whether it is sound."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict

from flows.cli.output import Exit, checking, data, data_json, table, talk
from musiccore.audit import verify_run
from musiccore.storage import validate_run_id
from tasks.describing import RunStatus, describe_run, describe_runs
from tasks.resources import shared_store


def runs(options: Namespace) -> int:
    with checking():
        store = shared_store()
    found = describe_runs(store)
    if options.json:
        data_json([status.to_json() for status in found])
    elif not found:
        talk(f"no runs in {store.location()}")
    else:
        rows = [(s.run, s.state, _progress(s), s.created, s.title or s.message) for s in found]
        data(table(rows, ("run", "state", "windows", "created", "title")))
    return Exit.DONE


def show(options: Namespace) -> int:
    with checking():
        status = describe_run(shared_store(), validate_run_id(options.run))
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
    if status.master is not None:
        data(f"song     {status.master.path} ({status.master.seconds:.2f} s)")
        data(f"page     {status.page}")
    elif status.state == "waiting":
        takes = ", ".join(map(str, status.waiting_takes))
        talk(f"hint: listen to takes {takes} with `jukeflow listen {status.run}`, then choose")
    else:
        talk(f"hint: continue with `jukeflow resume {status.run} --store {status.store}`")
    return Exit.DONE


def verify(options: Namespace) -> int:
    with checking():
        report = verify_run(shared_store(), validate_run_id(options.run))
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
            }
        )
    else:
        for doubt in report.doubts:
            data(f"{doubt.key} {doubt.message}")
        verdict = "sound" if report.sound else f"{len(report.doubts)} doubts"
        data(
            f"{report.run_id}: {report.n_records} records, {report.n_blobs} blobs, "
            f"{report.n_bytes} bytes read: {verdict}"
        )
    return Exit.DONE if report.sound else Exit.FAILED


def _progress(status: RunStatus) -> str:
    done = sum(level.windows_done for level in status.levels)
    return f"{done}/{sum(level.windows for level in status.levels)}"
