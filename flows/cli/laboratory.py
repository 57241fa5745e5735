"""`parity`, `evaluate` and `train`: is the model right, how good is it, make it again."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from flows.cli.output import Exit, checking, data, data_json, line, table, talk
from musiccore.errors import ConfigError
from musiccore.storage.atomic import check_place
from tasks.settings import process_settings

_PARITY_WIDTHS = (56, 8, 9, 6, 0)


def parity(options: Namespace) -> int:
    folder = Path(options.folder)
    with checking():
        if not folder.is_dir():
            raise ConfigError(
                f"parity: {options.folder} is not a folder",
                hint="give a folder of golden cases, for example tests/golden",
            )
    import torch

    from musiccore.parity import CaseResult, run_parity

    torch.set_num_threads(process_settings().threads)

    def show(row: CaseResult) -> None:
        if not options.json:
            result = "pass" if row.passed else "FAIL"
            words = (row.case, str(row.compared), f"{row.deviation:.1e}", result, row.note)
            data(line(words, _PARITY_WIDTHS))

    with checking():
        if not options.json:
            data(line(("case", "compared", "deviation", "result", ""), _PARITY_WIDTHS))
        report = run_parity(folder, on_row=show)
    if options.json:
        data_json([row.as_json() for row in report.rows])
    failed = sum(not row.passed for row in report.rows)
    talk(f"{len(report.rows)} cases, {report.compared} values compared, {failed} failed")
    return Exit.DONE if report.passed else Exit.FAILED


def evaluate(options: Namespace) -> int:
    with checking():
        if options.bigram_pieces is not None and options.bigram_pieces < 20:
            raise ConfigError(
                f"bigram-pieces is {options.bigram_pieces}; a table needs at least 20 pieces"
            )
    from musiccore.evaluation import evaluate as measure

    said = ""

    def report(what: str, share: float) -> None:
        nonlocal said
        line = f"{what}: {int(share * 20) * 5}%"
        if line != said:
            talk(line)
        said = line

    weights = None if options.weights is None else Path(options.weights)
    gates = measure(weights, report=report, n_bigram_pieces=options.bigram_pieces)
    if options.json:
        data_json([gate.as_json() for gate in gates])
    else:
        rows = [
            (
                gate.gate,
                f"{gate.value:.3f} {gate.unit}".strip(),
                gate.require,
                ", ".join(f"{name} {value:.3f}" for name, value in gate.controls.items()),
                "pass" if gate.passed else "MISSED",
            )
            for gate in gates
        ]
        data(table(rows, ("gate", "value", "require", "controls", "result")))
    missed = [gate.gate for gate in gates if not gate.passed]
    talk(f"{len(gates)} gates measured, {len(missed)} missed" + "".join(f"\n  {m}" for m in missed))
    return Exit.DONE  # a measurement that ended well; what it found is in the rows


def train(options: Namespace) -> int:
    with checking():
        for folder in (options.folder, options.out):
            check_place(Path(folder) / "weights")
    from musiccore.training.recipe import NanoRecipe, TrainingEvent, one_thread

    def report(event: TrainingEvent) -> None:
        every = max(1, event.steps // 100)
        if event.step % every and event.step != event.steps and event.held_out is None:
            return
        level = "" if event.level is None else f" level {event.level}"
        loss = "" if event.loss is None else f", loss {event.loss:.4f}"
        bits = "" if event.held_out is None else f", held out {event.held_out:.3f} bits"
        talk(f"{event.stage}{level}: step {event.step} of {event.steps}{loss}{bits}")

    one_thread()
    recipe = NanoRecipe(Path(options.folder), report, shorten=options.shorten)
    recipe.run(Path(options.out), options.stage, options.level)
    talk(f"weights are in {options.out}")
    return Exit.DONE
