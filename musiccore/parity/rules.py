"""JSON files: schedules, and rules of text, names, labels and lyrics windows."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import cast

from musiccore.errors import ConditioningError
from musiccore.models.config import LabelRules, LabelsConfig, LyricsConfig, PriorConfig
from musiccore.models.labels import Labeller, LabelTables
from musiccore.models.lyrics import (
    clean_lyrics,
    lyrics_text,
    lyrics_tokens,
    lyrics_window,
    vocabulary,
)
from musiccore.parity.published import Hyper
from musiccore.parity.report import CaseResult, Table, failure
from musiccore.sampling.windows import (
    Window,
    partial_window,
    pieces,
    plan_windows,
    window_starts,
)
from musiccore.training.optim import Schedule
from musiccore.training.timeline import Timeline
from musiccore.units import continuation_codes, samples_in

_RULES: tuple[LabelRules, ...] = ("v2", "v3")
Check = Callable[[Table, str, Hyper], None]


def rules(path: Path) -> list[CaseResult]:
    """Compare every table of a JSON file; a table that is not known fails."""
    name = path.stem
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        return [failure(name, f"the file cannot be read: {error}")]
    if not isinstance(content, dict) or not content:
        return [failure(name, "the file holds no tables")]
    table = Table(name)
    failed: list[CaseResult] = []
    checks = dict(_SCHEDULES)
    if "tables" in content:
        checks |= _labels_checks(_label_tables(content.pop("tables")))
    for part, entries in content.items():
        if part not in checks or not isinstance(entries, list):
            failed.append(failure(f"{name}: {part}", "not compared: this table is not known"))
            continue
        try:
            for index, entry in enumerate(entries):
                checks[part](table, part, Hyper(entry, f"{part}[{index}]"))
        except Exception as error:  # a damaged entry is a failing line, not the end of the report
            reason = f"{type(error).__name__}: {error}"
            failed.append(failure(f"{name}: {part}", f"ended early: {reason}"))
    return table.results() + failed


# --------------------------------------------------------------------------------------- schedules


def _starts(table: Table, part: str, case: Hyper) -> None:
    total, n_ctx = case.integer("total_length"), case.integer("n_ctx")
    found = window_starts(total, n_ctx, case.integer("hop_length"))
    table.entry(part, total, found, list(case.integers("starts")))


def _chunks(table: Table, part: str, case: Hyper) -> None:
    length, size = case.integer("length"), case.integer("chunk_size")
    table.entry(part, (length, size), pieces(length, size), list(case.integers("chunks")))


def _batches(table: Table, part: str, case: Hyper) -> None:
    length, size = case.integer("n_samples"), case.integer("max_batch_size")
    table.entry(part, (length, size), pieces(length, size), list(case.integers("sizes")))


def _partial(table: Table, part: str, case: Hyper) -> None:
    n_known, n_new = case.integer("current_tokens"), case.integer("tokens_to_sample")
    window = partial_window(n_known, n_new, case.integer("n_ctx"))
    found = (window.start, window.end - window.start, window.known, window.new, window.end)
    names = ("start", "sample_tokens", "conditioning_tokens", "new_tokens", "total_after")
    table.entry(part, (n_known, n_new), found, tuple(case.integer(name) for name in names))


def _level(table: Table, part: str, case: Hyper) -> None:
    total, n_ctx = case.integer("total_length"), case.integer("n_ctx")
    n_known, hop = case.integer("current_tokens"), case.integer("hop_length")
    windows: Sequence[Window]
    if total < n_ctx:  # the released program adds a short level on top of its primer
        windows, starts = [partial_window(n_known, total, n_ctx)], None
    else:
        windows = plan_windows(total, n_ctx, hop, n_known=n_known)
        starts = window_starts(total, n_ctx, hop)
    published = case.tables("windows")
    expected = [
        (w.integer("start"), w.integer("conditioning"), w.integer("new"), w.integer("length_after"))
        for w in published
        if w.has("new")
    ]
    label = (total, n_known)
    table.entry(part, label, [(w.start, w.known, w.new, w.end) for w in windows], expected)
    offsets = [w.integer("y_start") for w in published if w.has("y_start")]
    table.entry(part, label, [w.start for w in windows], offsets)
    if starts is not None:
        table.entry(part, label, starts, [w.integer("start") for w in published])


def _continuation(table: Table, part: str, case: Hyper) -> None:
    seconds = case.number("seconds")
    found = continuation_codes(
        seconds, case.integer("sr"), case.integer("raw_to_tokens"), case.integer("chunk_size")
    )
    table.entry(part, seconds, found, case.integer("tokens"))


def _rounding(table: Table, part: str, case: Hyper) -> None:
    seconds = case.number("seconds")
    found = samples_in(seconds, case.integer("sr"), multiple=case.integer("multiple"))
    table.entry(part, seconds, found, case.integer("samples"))


def _learning_rate(table: Table, part: str, case: Hyper) -> None:
    options = case.table("config")
    linear = options.has("lr_use_linear_decay") and options.flag("lr_use_linear_decay")
    plain = Schedule()
    schedule = Schedule(
        scale=options.number("lr_scale") if options.has("lr_scale") else plain.scale,
        warmup=options.number("lr_warmup") if options.has("lr_warmup") else plain.warmup,
        gamma=options.number("lr_gamma") if options.has("lr_gamma") else plain.gamma,
        decay=options.number("lr_decay") if options.has("lr_decay") else plain.decay,
        linear_start=options.number("lr_start_linear_decay") if linear else None,
    )
    steps, expected = case.integers("steps"), case.numbers("multiplier")
    for step, value in zip(steps, expected, strict=True):
        table.entry(part, step, schedule.multiplier(step), value)


def _dataset(table: Table, part: str, case: Hyper) -> None:
    timeline = Timeline(
        durations=case.integers("durations"), sample_length=case.integer("sample_length")
    )
    table.entry(part, "length", len(timeline), case.integer("length"))
    for item in case.tables("items"):
        number = item.integer("item")
        expected = (item.integer("index"), item.number("offset"))
        table.entry(part, number, timeline.locate(number), expected)


_SCHEDULES: Mapping[str, Check] = {
    "get_starts": _starts,
    "split_chunks": _chunks,
    "split_batch": _batches,
    "partial_window": _partial,
    "sample_level": _level,
    "seconds_to_tokens": _continuation,
    "audio_length_rounding": _rounding,
    "lr_schedule_multiplier": _learning_rate,
    "dataset_index_offset": _dataset,
}


# ------------------------------------------------------------------------------------ text, labels


def _label_tables(content: object) -> dict[LabelRules, LabelTables]:
    hyper = Hyper(content, "tables")

    def names(key: str) -> dict[str, int]:
        pairs = cast("list[tuple[str, int]]", hyper.items(key))
        return {name.lower(): int(number) for name, number in pairs}

    return {
        rule: LabelTables(
            rules=rule,
            artists=names(f"{rule}_artist_ids"),
            genres=names(f"{rule}_genre_ids"),
        )
        for rule in _RULES
    }


def _labels_checks(tables: Mapping[LabelRules, LabelTables]) -> dict[str, Check]:
    def text(table: Table, part: str, case: Hyper) -> None:
        lyrics = case.text("input")
        for rule in _RULES:
            expected = case.table(rule)
            tokens = lyrics_tokens(lyrics, rule)
            label = f"{rule} {lyrics!r}"
            table.entry(part, label, clean_lyrics(lyrics, rule), expected.text("clean"))
            table.entry(part, label, tokens, list(expected.integers("tokens")))
            table.entry(part, label, lyrics_text(tokens, rule), expected.text("roundtrip"))

    def names(table: Table, part: str, case: Hyper) -> None:
        artist, genre = case.text("artist"), case.text("genre")
        for rule in _RULES:
            known, expected = tables[rule], case.table(rule)
            genres = [number or 0 for _, number in known.genre_ids(genre)]
            label = f"{rule} {artist!r}, {genre!r}"
            table.entry(part, label, known.artist_id(artist) or 0, expected.integer("artist_id"))
            table.entry(part, label, genres, list(expected.integers("genre_ids")))
            if expected.has("norm_artist"):
                table.entry(part, label, known.normalise(artist), expected.text("norm_artist"))

    def labels(table: Table, part: str, case: Hyper) -> None:
        _one_label(table, part, case, tables)

    return {"text": text, "names": names, "labels": labels, "lyric_windows": _lyrics_windows}


def _one_label(
    table: Table, part: str, case: Hyper, tables: Mapping[LabelRules, LabelTables]
) -> None:
    options = case.table("labeller")
    rule: LabelRules = "v3" if options.flag("v3") else "v2"
    n_tokens = options.integer("n_tokens")
    labeller = Labeller(_label_prior(rule, options), tables[rule], allow_unknown=True)
    if case.has("get_y_from_ids"):
        ids = case.table("get_y_from_ids")
        made = labeller.from_ids(
            ids.integer("artist_id"),
            ids.integers("genre_ids"),
            [i % 7 for i in range(n_tokens)],
            ids.integer("total_length"),
            ids.integer("offset"),
        )
        table.entry(part, "from ids", made.vector.tolist(), list(case.integers("y")))
        return
    meta = case.table("meta")
    artist, genre, lyrics = meta.text("artist"), meta.text("genre"), meta.text("lyrics")
    total, offset = meta.integer("total_length"), meta.integer("offset")
    label = f"{rule} {artist!r}, {genre!r} at {offset}"
    if case.has("error"):
        try:
            labeller.full(artist, genre, lyrics, total, offset)
        except ConditioningError:
            table.entry(part, label, "refused", "refused")
        else:
            table.entry(part, label, "accepted", "refused")
        return
    made = labeller.full(artist, genre, lyrics, total, offset)
    table.entry(part, label, made.vector.tolist(), list(case.integers("y")))
    table.entry(part, label, list(made.all_lyrics_tokens), list(case.integers("full_tokens")))
    table.entry(part, label, made.lyrics, case.text("clean_lyrics"))


def _label_prior(rule: LabelRules, options: Hyper) -> PriorConfig:
    n_tokens, n_vocab = options.integer("n_tokens"), len(vocabulary(rule)) + 1
    lyrics = LyricsConfig(mode="single", n_tokens=n_tokens, n_vocab=n_vocab, loss_fraction=0.0)
    return PriorConfig(
        name="labels",
        level=2,
        sample_rate=44100,
        hop_length=1,
        n_ctx=options.integer("sample_length"),
        codebook_size=1,
        width=1,
        depth=1,
        heads=1,
        attention_order=0,
        blocks=None,
        m_attn=1.0,
        m_mlp=1.0,
        init_scale=1.0,
        tied_head=True,
        readd_conditioning=True,
        labels=LabelsConfig(
            rules=rule,
            n_genres=2**31,
            n_artists=2**31,
            genre_slots=options.integer("max_genre_words"),
        ),
        lyrics=lyrics if n_tokens else None,
    )


def _lyrics_windows(table: Table, part: str, case: Hyper) -> None:
    n_full, n_tokens = case.integer("n_full"), case.integer("n_tokens")
    total, offset = case.integer("total_length"), case.integer("offset")
    every = [(7 * i) % 79 + 1 for i in range(n_full)]
    label = f"{n_full} tokens at {offset} of {total}"
    for single in (False, True):
        try:
            tokens, indices = lyrics_window(
                every, n_tokens, total, offset, case.integer("duration"), single_precision=single
            )
        except ConditioningError:
            table.entry(part, label, "refused", "refused" if case.has("error") else "accepted")
            continue
        if case.has("error"):
            table.entry(part, label, "accepted", "refused")
            continue
        if n_tokens:
            expected = case.integers(f"first_last_padcount_float{32 if single else 64}")
            found = (indices[0], indices[-1], indices.count(-1))
            table.entry(part, label, found, expected)
        else:
            table.entry(part, label, (tokens, indices), ([], ()))
        if case.get("tokens") is not None and not single:
            table.entry(part, label, tokens, list(case.integers("tokens")))
