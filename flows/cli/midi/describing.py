"""`midi info`: what scores are, without Prefect."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict

from flows.cli.output import Exit, checking, complain, data, data_json, say_odd, table, talk
from musiccore.errors import MusicCoreError
from musiccore.scores.notation import Music21, analyse_harmony
from musiccore.scores.outline import ScoreReport, pitch_name, report_on
from musiccore.scores.score import Reading, Score
from musiccore.scores.score_files import find_scores

_SHOWN = 8


def info(options: Namespace) -> int:
    with checking():
        pieces = find_scores(options.files)
        reading = Reading(encoding=options.encoding, strict=options.strict)
    rows: list[dict[str, object]] = []
    failed = 0
    with Music21() as music21:
        for piece in pieces:
            try:
                score = piece.read(music21, reading=reading)
                report = report_on(score)
                chords = _chords(score, music21) if options.harmony else None
            except MusicCoreError as error:
                failed += 1
                rows.append({"source": piece.name, "error": error.message})
                if len(pieces) == 1:
                    complain(error)
                else:
                    talk(f"{piece.name}: failed: {error.message}")
                continue
            harmony = {} if chords is None else {"harmony": chords}
            odd = {"warnings": list(score.warnings)}
            rows.append({"source": piece.name, "error": None, **asdict(report), **harmony, **odd})
            say_odd(piece.name, score.warnings)
            if not options.json:
                _show(piece.name, report, chords)
    if options.json:
        data_json({"files": rows, "failed": failed})
    if not failed:
        return Exit.DONE
    return Exit.BAD_REQUEST if failed == len(rows) else Exit.PARTIAL


def _chords(score: Score, music21: Music21) -> list[dict[str, object]]:
    return [
        {
            "seconds": round(score.seconds_at(chord.start), 3),
            "quarter": round(chord.start / score.ticks_per_quarter, 3),
            "numeral": chord.numeral,
            "name": chord.name,
            "pitches": [pitch_name(pitch) for pitch in chord.pitches],
        }
        for chord in analyse_harmony(score, music21=music21).chords
    ]


def _show(name: str, report: ScoreReport, chords: list[dict[str, object]] | None) -> None:
    title = f" ({report.name})" if report.name and report.name != name else ""
    data(f"{name}{title}")
    data(f"  length   {report.seconds:.1f} s, {report.bars} bars, {report.notes} notes")
    data(f"  tempo    {_list(f'{beats:g} at {second:g} s' for second, beats in report.tempos)}")
    data(f"  meter    {_list(f'{meter} from bar {bar}' for bar, meter in report.meters)}")
    data(f"  key      {report.key or 'none'} (estimated)")
    rows = [
        (
            "  " + (part.name or "-"),
            part.instrument,
            str(part.channel),
            str(part.notes),
            f"{part.lowest} to {part.highest}" if part.lowest else "-",
        )
        for part in report.parts
    ]
    data(table(rows, ("  part", "instrument", "channel", "notes", "range")))
    for chord in chords or []:
        data(f"  {chord['seconds']:>8.3f} s  {chord['numeral']!s:<8} {chord['name']}")


def _list(texts: object) -> str:
    found = [str(text) for text in texts]  # type: ignore[attr-defined]
    more = f", and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return ", ".join(found[:_SHOWN]) + more
