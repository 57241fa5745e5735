"""A file's music made again from the file alone, and compared with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from inspect import unwrap
from pathlib import Path
from typing import Final, Literal, cast

import numpy as np

from musiccore import audio
from musiccore.audio.comparison import Likeness, compare
from musiccore.audio.sound import Audio
from musiccore.conversion.memory import read
from musiccore.errors import ConfigError
from musiccore.journal.manifest import Difference
from musiccore.models.config import ModelConfig
from musiccore.request.budget import LevelLeft, what_is_left
from musiccore.request.plan import DeviceKind, Plan
from musiccore.sampling.windows import plan_holes
from musiccore.tags import write_tags
from musiccore.takes.lineage import Origin, begin, needed_songs, rounds_needed
from musiccore.takes.takes import Rendition
from tasks.calibration import known_speeds
from tasks.candidates import record_round
from tasks.codec import song_audio, take_audio
from tasks.conditioning import condition, keep_score, record_score
from tasks.models import Models
from tasks.policies import gpu_task, io_task
from tasks.provenance import codes_digests, provenance
from tasks.resources import OpenRun, safe_stop, shared_store, task_reporter, working
from tasks.runs import Primer, check_request, create_run, run_exists
from tasks.sampling import sample_round, sample_song
from tasks.settings import Settings
from tasks.trees import choices_of
from tasks.wanted import Wanted, differences

Verdict = Literal["identical", "same codes", "different"]

_OTHER_SNR: Final = 3.0  # dB; below, the difference is as loud as the sound
_OTHER_SPECTRA: Final = 0.9  # spectral convergence; noise in a lossy file stays well below


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came out.

    Attributes:
        verdict: of all comparisons.
        codes: level → digests in the file and made again.
        pcm: digests of the delivered sound, in the file and made again.
        sound: comparison with the sound that the file holds.
        reencoded: whether the sound was compared after the same lossy encoder.
    """

    verdict: Verdict
    codes: Mapping[int, tuple[str, str]]
    pcm: tuple[str, str]
    sound: Likeness
    reencoded: bool

    def to_json(self) -> dict[str, object]:
        """Return the JSON form."""
        return {
            "verdict": self.verdict,
            "codes": {
                str(level): {"file": a, "again": b, "same": a == b}
                for level, (a, b) in self.codes.items()
            },
            "pcm": {
                "file": self.pcm[0],
                "again": self.pcm[1],
                "same": self.pcm[0] == self.pcm[1],
            },
            "sound": {**asdict(self.sound), "reencoded": self.reencoded},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """What is known before any time is spent.

    Attributes:
        run_id: the run that makes it again.
        differences: what is not on this machine as it was.
        left: windows and time per level, top level first.
    """

    run_id: str
    differences: tuple[Difference, ...]
    left: tuple[LevelLeft, ...]


@io_task(task_run_name="begin-again")
def begin_again(file: str, primer: str = "") -> Prospect:
    """Create the run that makes a file again, with the choices that led to it.

    Args:
        file: path of the audio file.
        primer: path of the primer, where the music starts from a recording or a score.

    Returns:
        The run, what differs here, and what it will cost.
    """
    wanted, settings = Wanted.of(Path(file)), Settings.from_environment()
    origin, store = wanted.origin, shared_store(settings)
    request, score = wanted.request(primer), b"" if primer else origin.score
    known: Primer | None = None
    if score:
        known = Primer(n_samples=origin.primer_samples, sha256=origin.primer_sha256)
    config = check_request(request.without_primer() if score else request, settings)
    found = known or Primer.of(request, config, ffmpeg=settings.ffmpeg)
    if (found.sha256 if found else "") != origin.primer_sha256:
        raise ConfigError("primer: this machine composes another one than the music starts from")
    models = Models(config, settings)
    unlike = differences(origin, models)
    if not run_exists(store, wanted.run_id):
        create_run(
            store,
            request,
            wanted.run_id,
            config,
            models,
            primer=found,
            score=score,
            pack=origin.pack,
        )
    with working(wanted.run_id) as run:
        if score:
            record_score(run, score)
        _choose_again(run, origin)
        left = _left(run, origin, config, settings)
    return Prospect(run_id=wanted.run_id, differences=unlike, left=left)


def _choose_again(run: OpenRun, origin: Origin) -> None:
    """Make the choices again that are not made yet; every take keeps its number."""
    log = choices_of(run.root, run.journal.record)
    for number, step in enumerate(origin.steps, start=1):
        tree = run.tree(fresh=True)
        if number > len(tree.choices):
            try:
                answers = tree.take(step.answers).round if step.answers else None
                round_number = tree.round_of(step.choice) if answers is None else answers
            except KeyError as error:
                raise ConfigError("file: its provenance is damaged: a take is missing") from error
            log.append(step.choice, round_number=round_number, by="command", branch=True)
            tree = run.tree(fresh=True)
        made = tree.choices[number - 1]
        if made.choice != step.choice:
            raise ConfigError(f"run {run.run_id} is being used for something else")
        if made.seq not in tree.made_by:
            one = begin(tree, made, step)
            if one is not None:
                record_round(run, one)
    tree = run.tree(fresh=True)
    tree.take(origin.take)
    if origin.song:
        tree.rendition(origin.song)


def _left(
    run: OpenRun, origin: Origin, config: ModelConfig, settings: Settings
) -> tuple[LevelLeft, ...]:
    """Return windows and time of everything that has to be sampled."""
    device: DeviceKind = "cuda" if settings.device.startswith("cuda") else "cpu"
    plan = Plan.of(
        config,
        run.request,
        device=device,
        primer_samples=origin.primer_samples,
        speeds=known_speeds(run.root, config, settings),
    )
    tree, top = run.tree(), config.levels - 1
    rounds = [one for one in rounds_needed(tree, origin.take) if one.sampled]
    windows = {top: sum(len(one.windows(run.facts)) for one in rounds)}
    if origin.song:
        for level in range(origin.level, top):
            songs = needed_songs(tree, origin.song)
            windows[level] = sum(_song_windows(run, song, level) for song in songs)
    return what_is_left(plan, windows)


def _song_windows(run: OpenRun, song: Rendition, level: int) -> int:
    prior, tree = run.config.priors[level], run.tree()
    n_codes = run.codes_at(level, tree.take(song.take).n_codes)
    hop = run.request.window_hops(run.config)[level]
    hole = (run.codes_at(level, tree.known_codes(song)), n_codes)
    if song.base:
        hole = (run.codes_at(level, song.start), run.codes_at(level, song.end))
    return len(plan_holes(n_codes, prior.n_ctx, hop, [hole]))


@gpu_task(task_run_name="make-again-{run_id}")
def make_again(run_id: str, file: str) -> dict[str, str]:
    """Sample what the sound of a file is made of; every finished window is kept.

    Args:
        run_id: the run that `begin_again` named.
        file: path of the audio file.

    Returns:
        Level → sha256 of the codes.
    """
    origin = Wanted.of(Path(file)).origin
    with working(run_id) as run:
        _function(keep_score)(run_id)
        _function(condition)(run_id)
        for one in rounds_needed(run.tree(), origin.take):
            _function(sample_round)(run_id, one.number)
        if origin.song:
            for song in needed_songs(run.tree(), origin.song):
                for level in reversed(range(origin.level, run.config.levels - 1)):
                    _function(sample_song)(run_id, song.number, level)
        return {str(level): digest for level, digest in _digests(run, origin).items()}


def _function(step: object) -> Callable[..., object]:
    """Return the function of a task, for a call inside another task."""
    found: Callable[..., object] = unwrap(cast("Callable[..., object]", step))
    return found


def _digests(run: OpenRun, origin: Origin) -> dict[int, str]:
    song = run.tree().rendition(origin.song) if origin.song else None
    return codes_digests(run, origin.take, song, lowest=origin.level)


@gpu_task(task_run_name="compare-again-{run_id}")
def compare_again(run_id: str, file: str, out: str = "") -> Report:
    """Compare what was made again with the file.

    Args:
        run_id: the run that `make_again` finished.
        file: path of the audio file.
        out: where the sound that was made again is written; empty for nowhere.

    Returns:
        What was compared, and the verdict.
    """
    path = Path(file)
    wanted = Wanted.of(path)
    origin = wanted.origin
    with working(run_id) as run, safe_stop():
        made = _sound(run, origin)
        codes = {
            level: (origin.codes.get(level, ""), digest)
            for level, digest in _digests(run, origin).items()
        }
        if out:
            _write(run, wanted, made, Path(out))
    held, reencoded = read(path), False
    sound = compare(_as_delivered(made), held)
    if not sound.identical and wanted.kind == "mp3" and not wanted.conversions:
        again = read(audio.write(made, "mp3"))
        if np.array_equal(again.samples, held.samples):
            sound, reencoded = compare(again, held), True
    pcm = (origin.pcm_sha256, audio.pcm_sha256(made))
    return Report(
        verdict=_verdict(codes, pcm, sound),
        codes=codes,
        pcm=pcm,
        sound=sound,
        reencoded=reencoded,
    )


def _as_delivered(made: Audio) -> Audio:
    """Return sound as a lossless file of 24 bits holds it."""
    return read(audio.write(made, "wav"))


def _verdict(
    codes: Mapping[int, tuple[str, str]], pcm: tuple[str, str], sound: Likeness
) -> Verdict:
    if any(a != b for a, b in codes.values()):
        return "different"
    if sound.identical:
        return "identical" if pcm[0] == pcm[1] else "same codes"
    other = sound.snr_db is not None and sound.snr_db < _OTHER_SNR
    if other and sound.spectral_convergence > _OTHER_SPECTRA:
        return "different"
    return "same codes"


def _sound(run: OpenRun, origin: Origin) -> Audio:
    """Return what the file was made from, as it was delivered."""
    if not origin.song:
        return take_audio(run, origin.take)
    sound = song_audio(run, run.tree().rendition(origin.song), origin.level)
    return audio.limit_peak(sound) if origin.part == "master" else sound


def _write(run: OpenRun, wanted: Wanted, made: Audio, out: Path) -> None:
    origin = wanted.origin
    song = run.tree().rendition(origin.song) if origin.song else None
    facts = provenance(
        run,
        take=origin.take,
        sound=made,
        song=song,
        level=origin.level,
        part=origin.part,
        codes=_digests(run, origin),
    )
    task_reporter().say(f"writing {out}")
    data = write_tags(audio.write(made, out.suffix.lower().removeprefix(".")), facts)
    out.write_bytes(data)
