"""`reproduce`: from a file to the same music, with a verdict."""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from argparse import Namespace
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

from flows.cli.output import BadRequest, Exit, checking, data, data_json, table, talk
from flows.cli.progress_bar import shown
from flows.cli.signals import is_interruption, stoppable
from flows.cli.time_budget import hand_over, session_budget
from musiccore.audio.sound import FORMATS
from musiccore.delivery.origin import Wanted
from musiccore.delivery.reproduction import (
    Prospect,
    ReproductionReport,
    begin_again,
    compare_again,
    create_again,
    make_again,
)
from musiccore.errors import ConfigError
from tasks.context import shared_store, working
from tasks.settings import machine

_SHOWN = 16  # digits of a digest in the table


def reproduce(options: Namespace) -> int:
    with checking():
        wanted = Wanted.of(Path(options.file))
        _check_out(options)
        _as_it_was(wanted)
    try:
        with (
            _store(options, wanted),
            stoppable(),
            session_budget(options),
            shown(),
            ExitStack() as stack,
        ):
            return _work(options, wanted, stack)
    except BaseException as error:
        if not is_interruption(error):
            raise
        talk(str(error) or "interrupted")
        talk(f"hint: go on with `{_command(options)}`")
        if options.json:
            data_json({"state": "unfinished", "store": _place()})
        return Exit.INTERRUPTED


def _work(options: Namespace, wanted: Wanted, stack: ExitStack) -> int:
    primer = options.primer or ""
    with checking():
        unlike = create_again(shared_store(), wanted, primer, machine())
        run = stack.enter_context(working(wanted.run_id))
        prospect = begin_again(run, wanted, primer, unlike)
    _announce(options, wanted, prospect)
    if options.dry_run:
        if options.json:
            data_json({"run": prospect.run_id, **_prospect_json(prospect)})
        return Exit.DONE
    make_again(run, wanted.origin)
    out = Path(options.out) if options.out else None
    report = compare_again(run, wanted, Path(options.file), out)
    _show(options, prospect, report)
    return Exit.FAILED if report.verdict == "different" else Exit.DONE


def _check_out(options: Namespace) -> None:
    if options.out is None:
        return
    out = Path(options.out)
    if out.suffix.lower().removeprefix(".") not in FORMATS:
        raise ConfigError(f"--out is {options.out!r}; it must end with .wav, .flac or .mp3")
    if out.exists():
        raise ConfigError(f"--out is {options.out!r}, which is there already")
    if not out.parent.is_dir():
        raise ConfigError(f"--out is {options.out!r}; its folder does not exist")


def _as_it_was(wanted: Wanted) -> None:
    """Use the number type and the threads of the file, unless the user chose others."""
    numerics = wanted.origin.numerics
    for variable, name in (("JUKEFLOW_DTYPE", "dtype"), ("JUKEFLOW_THREADS", "threads")):
        if name in numerics:
            os.environ.setdefault(variable, str(numerics[name]))


@contextmanager
def _store(options: Namespace, wanted: Wanted) -> Iterator[None]:
    """Work in a store of its own, found again after a kill or a failure, removed at the end."""
    if options.store is not None:
        yield
        return
    user = os.getuid() if hasattr(os, "getuid") else 0
    folder = Path(tempfile.gettempdir(), f"jukeflow-{user}-{wanted.run_id}")
    fresh = not folder.exists()
    folder.mkdir(mode=0o700, exist_ok=True)
    if hasattr(os, "getuid") and (folder.is_symlink() or folder.stat().st_uid != user):
        raise ConfigError(f"store: {folder} belongs to somebody else", hint="use --store FOLDER")
    os.environ["JUKEFLOW_STORE"] = str(folder)
    try:
        yield
    except BadRequest:
        if fresh:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    if not options.keep:
        shutil.rmtree(folder, ignore_errors=True)


def _place() -> str:
    return os.environ["JUKEFLOW_STORE"]


def _command(options: Namespace) -> str:
    words = ["jukeflow", "reproduce", options.file, "--store", _place()]
    for name in ("primer", "out"):
        if value := getattr(options, name):
            words += [f"--{name}", value]
    return shlex.join(words)


def _announce(options: Namespace, wanted: Wanted, prospect: Prospect) -> None:
    """Say what differs and what it costs, before any time is spent."""
    origin = wanted.origin
    what = {"master": "the song", "take": f"take {origin.take}"}
    part = what.get(origin.part, f"level {origin.level} of the song")
    talk(f"{options.file}: {part}, model {origin.request.model}, made again in {_place()}")
    if wanted.conversions:
        times = len(wanted.conversions)
        talk(f"converted {times} time{'s' * (times > 1)} since: codes are compared, sound measured")
    for one in prospect.differences:
        talk(f"not as it was: {one.field}: {one.recorded} then, {one.current} here")
    if prospect.differences:
        talk("with other weights, device or number type the codes may differ")
    talk(hand_over(prospect.left).replace("left:", "to make:", 1))


def _prospect_json(prospect: Prospect) -> dict[str, object]:
    return {
        "differences": [asdict(one) for one in prospect.differences],
        "left": [asdict(part) for part in prospect.left],
    }


def _show(options: Namespace, prospect: Prospect, report: ReproductionReport) -> None:
    words = _verdict(report)
    if options.json:
        found = {"run": prospect.run_id, **report.to_json(), **_prospect_json(prospect)}
        data_json({**found, "words": words, "store": _place() if _is_kept(options) else None})
        return
    rows = [
        (f"codes, level {level}", _short(a), _short(b), "same" if a == b else "different")
        for level, (a, b) in sorted(report.codes.items(), reverse=True)
    ]
    first, again = report.pcm
    same = "same" if first == again else "different"
    rows.append(("sound as delivered", _short(first), _short(again), same))
    sound = report.sound
    how = "after the same encoder" if report.reencoded else sound.in_words()
    heard = "every sample" if sound.identical else _level(report)
    rows.append(("sound in the file", f"{sound.seconds:.2f} s compared", how, heard))
    data(table(rows, ("", "file", "made again", "")))
    data(f"verdict: {words}")
    if _is_kept(options):
        talk(f"store: {_place()}, run {prospect.run_id}")


def _is_kept(options: Namespace) -> bool:
    return bool(options.keep or options.store)


def _short(digest: str) -> str:
    return digest[:_SHOWN] or "not recorded"


def _level(report: ReproductionReport) -> str:
    snr = report.sound.snr_db
    if snr is None:
        return "no difference"
    return f"{snr:.1f} dB SNR, spectral convergence {report.sound.spectral_convergence:.3f}"


def _verdict(report: ReproductionReport) -> str:
    if report.verdict != "same codes":
        return report.verdict
    snr = report.sound.snr_db
    if snr is None:
        return "same codes, the same sound but for what was changed"
    return f"same codes, audio differs by {snr:.1f} dB (signal to difference)"
