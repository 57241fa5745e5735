"""Which tags go into a target, and what becomes of them when the sound is changed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from musiccore.audio.signatures import sniff, sniff_foreign
from musiccore.audio.streams import head_of
from musiccore.conversion.fitting import TargetPlan
from musiccore.conversion.formats import TARGETS
from musiccore.conversion.history import conversion_record
from musiccore.conversion.options import ConversionOptions
from musiccore.errors import AudioError, ConfigError, MissingProgram
from musiccore.tags import (
    Tags,
    can_read,
    load_tags,
    lost,
    save_tags,
    summary,
    with_extra,
)
from musiccore.tags.extras import ended
from musiccore.tags.fields import from_json, to_json
from musiccore.tags.markers import Stretch, fitted
from musiccore.tags.not_carried import named
from musiccore.tags.objects import from_object

__all__ = ["plan_tags", "summary_of", "TagPlan"]

# Formats whose tags `musiccore.tags` reads and writes; for others ffmpeg does what it can.
_OURS = (*(kind for kind, target in TARGETS.items() if not target.foreign), "m4a")
_MOST_BESIDE = 64 << 20  # bytes of what was written beside a file
_PRIVATE = ("w64", "au")  # which have no place for more than the shown fields


@dataclass(slots=True, kw_only=True)
class TagPlan:
    """The tags of one target on their way.

    Attributes:
        tags: what is to be written.
        warnings: what is not, and what is in doubt.
        sources: what the target is made of.
        more: further tags, as `tags.with_extra` takes them.
        kind: format of the target.
    """

    tags: Tags
    kind: str
    sources: Sequence[Path]
    more: Mapping[str, object]
    warnings: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """What ffmpeg is to write into a format whose tags only it knows; empty for others."""
        if self.kind in _OURS:
            return ""
        from musiccore.conversion.ffmetadata import metadata_text

        return metadata_text(with_extra(self.tags, self.more)[0], self.kind)

    def finish(
        self, target: Path, plan: TargetPlan, options: ConversionOptions, n_frames: int, level: bool
    ) -> tuple[str, ...]:
        """Write the tags into a finished target.

        Args:
            target: complete file that nobody reads yet.
            plan: how it was written.
            options: what was asked for.
            n_frames: samples per channel of it.
            level: whether it is as loud as its source.

        Returns:
            Warnings: what could not be kept, or is in doubt.

        Raises:
            AudioError: if the target cannot be written.
        """
        if not self.sources or (self.kind not in _OURS and self.tags.provenance is None):
            return tuple(self.warnings)
        tags, said = fitted(self.tags, Stretch(level=level))
        extra = dict(self.more)
        extra["conversion"] = conversion_record(
            self.sources, options, plan.sample_rate, plan.channels
        )
        tags, more = with_extra(tags, extra)
        length = round(n_frames * 1000 / plan.sample_rate)
        tags = replace(tags, chapters=ended(tags.chapters, length))
        return (*self.warnings, *said, *more, *save_tags(target, tags))


def plan_tags(
    sources: Sequence[Path],
    kind: str,
    options: ConversionOptions,
    more: Mapping[str, object] | None,
    stretch: Stretch,
) -> TagPlan:
    """Read the tags of the first source, and decide what of them goes on.

    Args:
        sources: what the target is made of.
        kind: format of the target.
        options: what was asked for.
        more: further tags.
        stretch: which part of the source's sound goes on, and how.

    Raises:
        ConfigError: if something would be lost or may be misread, and `options.strict` is set.
        AudioError: if a source cannot be opened.
    """
    plan = TagPlan(tags=Tags(), kind=kind, sources=sources, more=more or {})
    if not sources:
        return plan
    tags, doubts = _read(sources[0], options)
    gone = _losses(tags, kind)
    if len(sources) > 1 and tags.raws:
        gone = (*gone, *named(tags.raws))
        tags = replace(tags, raws=())
    if kind not in _OURS and tags.provenance is None:
        from musiccore.conversion.ffmetadata import foreign_losses

        gone = (*gone, *foreign_losses(tags, kind))
    home = [raw for raw in tags.raws if not lost(Tags(raws=(raw,)), kind)]
    tags, said = fitted(replace(tags, raws=tuple(home), extras=()), stretch)
    plan.tags = tags
    plan.warnings += doubts
    if gone := tuple(dict.fromkeys(gone)):
        plan.warnings.append(f"not kept in {kind}: {'; '.join(gone)}")
    plan.warnings += said
    plan.warnings += _unseen(tags, kind)
    if options.strict and (gone or doubts):
        raise ConfigError(
            f"strict: tags of {sources[0].name!r} do not go on as they are: "
            f"{'; '.join(plan.warnings)}",
            hint="name --tag-encoding where it is in doubt, choose another format, or leave strict "
            "out",
        )
    return plan


def _losses(tags: Tags, kind: str) -> tuple[str, ...]:
    return lost(tags, kind) if kind in _OURS else (*named(tags.raws), *tags.extras)


def _unseen(tags: Tags, kind: str) -> list[str]:
    """Say what lies in a place of our own, where a format has none for it."""
    if kind not in _PRIVATE:
        return []
    names = [name for name, _ in tags.others()]
    names += ["pictures"] * bool(tags.pictures) + ["chapters"] * bool(tags.chapters)
    names += ["synchronised lyrics"] * bool(tags.timed)
    return [f"only jukeflow reads these from {kind}: {', '.join(names)}"] if names else []


def _read(source: Path, options: ConversionOptions) -> tuple[Tags, tuple[str, ...]]:
    """Return the tags of a source, and what is in doubt."""
    try:
        if can_read(source):
            reading = load_tags(source, encoding=options.tag_encoding)
            return reading.tags, reading.doubts
        from musiccore.conversion.ffmetadata import foreign_tags

        return _with_beside(foreign_tags(source, options.ffmpeg), source), ()
    except MissingProgram:
        return Tags(), (f"tags of {source.name} are not kept: reading them needs ffmpeg",)
    except AudioError as error:
        if not source.is_file():
            raise
        return Tags(), (f"tags of {source.name} are not kept: {error.message}",)


def _with_beside(tags: Tags, source: Path) -> Tags:
    """Add what `tags.save_tags` wrote beside a file that cannot hold it."""
    try:
        beside = source.with_name(f"{source.name}.json")
        if beside.stat().st_size > _MOST_BESIDE:
            return tags
        whole = json.loads(beside.read_text(encoding="utf-8"))
        provenance = whole.pop("provenance")
        known = from_object(whole)
        text = to_json(provenance) if provenance else None
        fields = {**tags.fields, **known.fields}
        return replace(
            known, fields=fields, provenance=text, pictures=known.pictures or tags.pictures,
            chapters=known.chapters or tags.chapters,
        )  # fmt: skip
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return tags


def _foreign(path: Path, ffmpeg: str | None) -> tuple[str, Tags]:
    from musiccore.conversion.ffmetadata import foreign_kind, foreign_tags

    head = head_of(path)
    kind = sniff_foreign(head)
    try:
        tags = foreign_tags(path, ffmpeg, must=True)
        kind = kind or foreign_kind(path, ffmpeg)
    except MissingProgram:
        if kind or sniff(head):
            raise
        raise AudioError(
            f"audio file {str(path)!r} is no audio file that is known here, so it has no tags",
            hint="with ffmpeg more formats can be read: pip install 'jukeflow[ffmpeg]'",
        ) from None
    return kind, _with_beside(tags, path)


def summary_of(path: Path, *, ffmpeg: str | None, encoding: str | None) -> dict[str, object]:
    """Return what the tags of any file say, through ffmpeg where they are not read here.

    Args:
        path: of the file.
        ffmpeg: path of the program; None looks for it.
        encoding: of old texts that do not say theirs, as `tags.read_tags` takes it.

    Returns:
        As `tags.read_tags`.

    Raises:
        AudioError: if it is no file of sound, or its tags are damaged.
        ConfigError: if there is no such encoding.
        MissingProgram: if only ffmpeg could read it, and there is none.
    """
    if can_read(path):
        reading = load_tags(path, encoding=encoding)
        kind, tags, doubts = reading.kind, reading.tags, reading.doubts
    else:
        kind, tags, doubts = *_foreign(path, ffmpeg), ()
    found = summary(kind, tags, doubts)
    if tags.provenance is not None:
        try:
            found["provenance"] = from_json(tags.provenance)
        except (ValueError, RecursionError) as error:
            raise AudioError(f"audio file {str(path)!r} has damaged tags: {error}") from error
    return found
