"""A file's music made again from the file alone, and compared with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np

from musiccore import audio
from musiccore.audio.comparison import Likeness, compare
from musiccore.audio.sound import Audio
from musiccore.conversion.memory import read
from musiccore.delivery.candidates import record_round
from musiccore.delivery.origin import Wanted, differences
from musiccore.delivery.provenance import provenance
from musiccore.delivery.song_audio import FinishedSong, take_audio
from musiccore.errors import ConfigError
from musiccore.journal.manifest import Difference
from musiccore.models.loading import Models
from musiccore.models.machine import Machine
from musiccore.request.budget import LevelLeft, what_is_left
from musiccore.request.plan import DeviceKind, Plan
from musiccore.runs.calibrate import known_speeds
from musiccore.runs.choices import choices_of
from musiccore.runs.conditioning import condition, keep_score, record_score
from musiccore.runs.create import Primer, check_request, create_run, run_exists
from musiccore.runs.levels import codes_sha256
from musiccore.runs.open_run import OpenRun
from musiccore.runs.run_codes import RunCodes
from musiccore.runs.sample import sample_round, sample_song
from musiccore.sampling.windows import plan_holes
from musiccore.storage.store import Store
from musiccore.tags import write_tags
from musiccore.takes.lineage import Origin, begin, needed_songs, rounds_needed
from musiccore.takes.takes import Rendition

Verdict = Literal["identical", "same codes", "different"]

_OTHER_SNR: Final = 3.0  # dB; below, the difference is as loud as the sound
_OTHER_SPECTRA: Final = 0.9  # spectral convergence; noise in a lossy file stays well below


@dataclass(frozen=True, slots=True, kw_only=True)
class ReproductionReport:
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


def create_again(
    store: Store, wanted: Wanted, primer: str, machine: Machine
) -> tuple[Difference, ...]:
    """Create the run that makes a file again, unless it is there.

    Args:
        store: the root of the store.
        wanted: what the file says.
        primer: path of the primer, where the music starts from a recording or a score.
        machine: that makes it.

    Returns:
        What differs here.

    Raises:
        ConfigError: if the primer is missing or another one.
        CheckpointError: if weights are missing.
    """
    origin = wanted.origin
    request, score = wanted.request(primer), b"" if primer else origin.score
    known: Primer | None = None
    if score:
        known = Primer(n_samples=origin.primer_samples, sha256=origin.primer_sha256)
    config = check_request(request.without_primer() if score else request, machine)
    found = known or Primer.of(request, config, ffmpeg=machine.ffmpeg)
    if (found.sha256 if found else "") != origin.primer_sha256:
        raise ConfigError("primer: this machine composes another one than the music starts from")
    models = Models(config, machine)
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
    return unlike


def begin_again(
    run: OpenRun, wanted: Wanted, primer: str, unlike: tuple[Difference, ...]
) -> Prospect:
    """Make the choices that led to a file, in the run that makes it again.

    Args:
        run: as `create_again` made it, claimed.
        wanted: what the file says.
        primer: path of the primer; empty for the score that the file holds, if it holds one.
        unlike: what differs here.

    Returns:
        The run, what differs here, and what it will cost.
    """
    origin = wanted.origin
    if origin.score and not primer:
        record_score(run, origin.score)
    _choose_again(run, origin)
    return Prospect(run_id=wanted.run_id, differences=unlike, left=_left(run, origin))


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


def _left(run: OpenRun, origin: Origin) -> tuple[LevelLeft, ...]:
    """Return windows and time of everything that has to be sampled."""
    config = run.config
    device: DeviceKind = "cuda" if run.machine.device.startswith("cuda") else "cpu"
    plan = Plan.of(
        config,
        run.request,
        device=device,
        primer_samples=origin.primer_samples,
        speeds=known_speeds(run.root, config, run.machine),
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


def make_again(run: OpenRun, origin: Origin) -> dict[str, str]:
    """Sample what the sound of a file is made of; every finished window is kept.

    Args:
        run: that `begin_again` prepared, claimed.
        origin: what the file says.

    Returns:
        Level → sha256 of the codes.
    """
    keep_score(run)
    condition(run)
    for one in rounds_needed(run.tree(), origin.take):
        sample_round(run, one.number)
    if origin.song:
        for song in needed_songs(run.tree(), origin.song):
            for level in reversed(range(origin.level, run.config.levels - 1)):
                sample_song(run, song.number, level)
    return {str(level): digest for level, digest in _Made(run, origin).digests().items()}


class _Made:
    """What was made again: codes and sound of a take or a song, read once."""

    def __init__(self, run: OpenRun, origin: Origin) -> None:
        self.origin = origin
        self.song = run.tree().rendition(origin.song) if origin.song else None
        self._run = run
        self._finished = None if self.song is None else FinishedSong(run, self.song)
        self._codes = RunCodes(run)

    def digests(self) -> dict[int, str]:
        """Return level → sha256 of the codes that the sound of the file is made of."""
        if self._finished is not None:
            return self._finished.digests(self.origin.level)
        top = self._run.config.levels - 1
        return {top: codes_sha256(self._codes.take(self.origin.take))}

    def sound(self) -> Audio:
        """Return what the file was made from, as it was delivered."""
        origin = self.origin
        if self._finished is None:
            return take_audio(self._run, origin.take, self._codes.take(origin.take))
        sound = self._finished.audio(origin.level)
        return audio.limit_peak(sound) if origin.part == "master" else sound


def compare_again(
    run: OpenRun, wanted: Wanted, path: Path, out: Path | None = None
) -> ReproductionReport:
    """Compare what was made again with the file.

    Args:
        run: that `make_again` finished, claimed.
        wanted: what the file says.
        path: of the file.
        out: where the sound that was made again is written; None for nowhere.

    Returns:
        What was compared, and the verdict.
    """
    origin = wanted.origin
    with run.safe_stop():
        again = _Made(run, origin)
        made = again.sound()
        codes = {
            level: (origin.codes.get(level, ""), digest)
            for level, digest in again.digests().items()
        }
        if out is not None:
            _write(run, again, made, out)
    held, reencoded = read(path), False
    sound = compare(_as_delivered(made), held)
    if not sound.identical and wanted.kind == "mp3" and not wanted.conversions:
        lossy = read(audio.write(made, "mp3"))
        if np.array_equal(lossy.samples, held.samples):
            sound, reencoded = compare(lossy, held), True
    pcm = (origin.pcm_sha256, audio.pcm_sha256(made))
    return ReproductionReport(
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


def _write(run: OpenRun, again: _Made, made: Audio, out: Path) -> None:
    origin = again.origin
    facts = provenance(
        run,
        take=origin.take,
        sound=made,
        song=again.song,
        level=origin.level,
        part=origin.part,
        codes=again.digests(),
    )
    run.say(f"writing {out}")
    data = write_tags(audio.write(made, out.suffix.lower().removeprefix(".")), facts)
    out.write_bytes(data)
