"""The score that a song started from, as its page shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from musiccore import audio
from musiccore.audio.sound import Audio
from musiccore.pages import figures
from musiccore.pages.song import PlayerTrack, SongFile, StartingScore
from musiccore.runs.conditioning import primer_score
from musiccore.runs.open_run import OpenRun
from musiccore.runs.primer_audio import play_primer
from musiccore.scores.likeness import ScoreCheck, check_against_score
from musiccore.scores.midi import read_midi
from musiccore.scores.score import Score
from musiccore.takes.takes import Rendition

SCORE_FILE: Final = "score.mid"
ROLL_FILE: Final = "score_roll.png"


@dataclass(frozen=True, slots=True, kw_only=True)
class SongScore:
    """A score, and how much of it a song begins with.

    Attributes:
        midi: the whole score as a MIDI file.
        score: the same.
        heard: what the model heard of it, mono at its rate.
    """

    midi: bytes
    score: Score
    heard: Audio

    def roll(self) -> bytes:
        """Draw what the model heard as a piano roll: a PNG."""
        seconds = self.heard.seconds
        return figures.piano_roll(self.score.until(seconds), seconds=seconds)

    def on_page(self, master: Audio, roll: bytes | None) -> StartingScore:
        """Return the part of a song's page that is about its score.

        Args:
            master: the finished song.
            roll: what `roll` drew; None without a picture.
        """
        check = check_against_score(self.score, master, self.heard.seconds)
        return StartingScore(
            track=PlayerTrack(
                title="Score",
                note=f"{self.heard.seconds:.1f} s, {self.score.n_notes} notes in the file",
                audio=audio.write_preview(audio.limit_peak(self.heard)),
                roll=roll,
                spectrogram=figures.spectrogram(self.heard),
            ),
            files=[SongFile(path=SCORE_FILE, label="MIDI", n_bytes=len(self.midi))],
            check=_in_words(check),
        )


def starting_score(run: OpenRun, song: Rendition) -> SongScore | None:
    """Return the score that a song begins with; None if it begins with none.

    A take that was cut from the middle of another one has left it behind.
    """
    midi, codes = primer_score(run), run.tree().primer_codes(song.take)
    if midi is None or not codes:
        return None
    score = read_midi(midi)
    heard = play_primer(score, codes * run.config.top.hop_length, run.config)
    return SongScore(midi=midi, score=score, heard=heard)


def _in_words(check: ScoreCheck) -> dict[str, object]:
    rows: dict[str, object] = {
        "the stretch of the score": f"{check.primer:.2f}; in any other key at most "
        f"{check.primer_elsewhere:.2f}"
    }
    if check.following is not None and check.following_elsewhere is not None:
        rows["what follows"] = (
            f"{check.following:.2f}; in any other key at most {check.following_elsewhere:.2f}"
        )
        rows["its key"] = (
            "that of the score"
            if not check.drift
            else f"nearest to the score moved by {check.drift:+d} semitones"
        )
    rows["figures"] = "correlation of pitch classes with the notes, -1 to 1"
    return rows
