"""The forms of the Prefect UI: flat, described, and without optional fields.

That UI shows an optional field as a switch between types, so an empty text or 0 stands for
"the model's own" here; `request()` and `choice()` turn a form into what the rest of the program
knows.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from musiccore.request.request import MAX_LYRICS, MAX_SECONDS, MAX_SEED, GenerationRequest
from musiccore.takes.choice import Choice
from musiccore.timecode import parse_parts, parse_range

Choosing = Literal["wait", "first", "best", "all"]
Act = Literal[
    "continue",
    "upsample",
    "more",
    "again",
    "back",
    "keep",
    "drop",
    "audition",
    "cut",
    "splice",
    "redo",
    "change",
    "rename",
    "note",
]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SongForm(_Form):
    """What to make."""

    model_config = ConfigDict(title="Song")

    title: str = Field(
        "New song",
        title="Title",
        description="What you call it; shown on its page and in its files.",
        min_length=1,
        max_length=120,
    )
    model: Literal["nano", "1b_lyrics", "5b", "5b_lyrics", "tiny"] = Field(
        "nano",
        title="Model",
        description="nano is embedded and plays chorales; the others need their weights on the "
        "worker, and sing. tiny is noise, for tests.",
    )
    artist: str = Field(
        "", title="Artist", description="A name the model knows. nano knows: bach.", max_length=200
    )
    genre: str = Field(
        "",
        title="Genre",
        description="Words the model knows. nano knows: piano major, piano minor.",
        max_length=200,
    )
    lyrics: str = Field(
        "",
        title="Lyrics",
        description="The words of the whole piece, one sung line per line; for models that sing.",
        max_length=MAX_LYRICS,
    )
    seconds: float = Field(
        12.0, title="Seconds", description="Length of the first takes.", gt=0, le=MAX_SECONDS
    )
    total_seconds: float = Field(
        0.0,
        title="Total seconds",
        description="How long the finished piece will be, so that the model knows how far it has "
        "come. 0: as long as the first takes.",
        ge=0,
        le=MAX_SECONDS,
    )
    takes: int = Field(
        3, title="Takes", description="How many variants to choose from.", ge=1, le=16
    )
    temperature: float = Field(
        0.0,
        title="Temperature",
        description="Below 1 is safer, above 1 wilder. 0: the model's own.",
        ge=0,
        le=10,
    )
    top_p: float = Field(
        1.0,
        title="Top p",
        description="Draw from the likeliest codes up to this probability; 1 draws from all.",
        gt=0,
        le=1,
    )
    seed: int = Field(
        0, title="Seed", description="The same seed gives the same music.", ge=0, le=MAX_SEED
    )
    primer: str = Field(
        "",
        title="Primer",
        description="Path, on the worker, of an audio file or a score (MIDI, MusicXML, ABC) that "
        "the piece starts from.",
        max_length=4096,
    )
    primer_compose: bool = Field(
        False,
        title="Compose the primer",
        description="Let the recurrent model compose a chorale that the piece starts from.",
    )
    primer_seconds: float = Field(
        0.0,
        title="Primer seconds",
        description="How much of the primer to use. 0: all of it; of a composed one, half of the "
        "seconds.",
        ge=0,
        le=MAX_SECONDS,
    )
    choose: Choosing = Field(
        "wait",
        title="Who chooses",
        description="wait: a person does, whenever they like. first, best or all takes go on by "
        "themselves, after the hours below.",
    )
    choose_after_hours: float = Field(
        0.0,
        title="Choose after hours",
        description="How long a person may choose before first, best or all does. 0: at once.",
        ge=0,
        le=8784,
    )
    allow_unknown: bool = Field(
        False,
        title="Allow unknown",
        description="Take an artist or genre that the model does not know as unknown, instead of "
        "refusing it.",
    )

    def request(self, *, choose: Choosing) -> GenerationRequest:
        """Return the request that the form describes.

        Args:
            choose: who chooses.

        Raises:
            ConfigError: for a value that does not fit; the message names the field.
        """
        return GenerationRequest.parse(
            {
                "title": self.title,
                "model": self.model,
                "conditioning": {
                    "artist": self.artist.strip(),
                    "genre": self.genre.strip(),
                    "lyrics": self.lyrics,
                },
                "sampling": {
                    "seed": self.seed,
                    "temperature": self.temperature or None,
                    "top_p": self.top_p,
                },
                "seconds": self.seconds,
                "total_seconds": self.total_seconds or None,
                "takes": self.takes,
                "primer": self.primer.strip() or None,
                "primer_compose": {} if self.primer_compose else None,
                "primer_seconds": self.primer_seconds or None,
                "choose": choose,
                "choose_after_hours": self.choose_after_hours,
                "allow_unknown": self.allow_unknown,
            }
        )


class WholeSong(SongForm):
    """What to make, through to the end without anybody's help."""

    model_config = ConfigDict(title="WholeSong")

    choose: Literal["first", "best", "all"] = Field(
        "first",
        title="Which take goes on",
        description="first: the first one. best: the one that sounds most in tune, with the least "
        "silence. all: each of them. To choose by ear, run compose instead.",
    )
    choose_after_hours: float = Field(
        0.0,
        title="Choose after hours",
        description="How long a person may choose before that. 0: not at all, it goes on at once.",
        ge=0,
        le=8784,
    )

    @field_validator("choose", mode="before")
    @classmethod
    def _unattended(cls, value: object) -> object:
        """Take `wait` as `first`: forms and schedules of before say it, and got the first take."""
        return "first" if value == "wait" else value


class ChoiceForm(_Form):
    """What to do with which take of which run."""

    run: str = Field(title="Run", description="Its name; `jukeflow runs` lists them.", min_length=1)
    action: Act = Field(title="Action", description="What happens next.")
    take: int = Field(
        0, title="Take", description="Its number; again, back and splice need none.", ge=0
    )
    seconds: float = Field(
        4.0, title="Seconds", description="continue: how much to add.", gt=0, le=MAX_SECONDS
    )
    count: int = Field(
        0,
        title="New takes",
        description="continue, more, again: how many. 0: as many as at the beginning.",
        ge=0,
        le=64,
    )
    copies: int = Field(
        1, title="Copies", description="upsample: how many different ones.", ge=1, le=64
    )
    anew: bool = Field(
        False,
        title="Sample all anew",
        description="upsample: keep nothing of a shorter song that the take goes on from.",
    )
    also: str = Field(
        "",
        title="Other takes",
        description="keep, drop, upsample: further takes, with commas: 2, 3.",
        pattern=r"^[\d,\s]*$",
        max_length=200,
    )
    stretch: str = Field(
        "",
        title="Stretch",
        description="cut, audition, redo: a range such as 0:04-0:09. splice: takes and ranges, "
        "3@0:00-0:04+5@0:04-0:09.",
        max_length=500,
    )
    artist: str = Field(
        "", title="Artist", description="For what follows. Empty: as before.", max_length=200
    )
    genre: str = Field(
        "", title="Genre", description="For what follows. Empty: as before.", max_length=200
    )
    lyrics: str = Field(
        "", title="Lyrics", description="For what follows. Empty: as before.", max_length=MAX_LYRICS
    )
    temperature: float = Field(
        0.0, title="Temperature", description="For what follows. 0: as before.", ge=0, le=10
    )
    text: str = Field(
        "", title="Name or note", description="rename: the name; note: the note.", max_length=2000
    )
    stars: int = Field(-1, title="Stars", description="note: 0 to 5. -1: as before.", ge=-1, le=5)
    who: str = Field("", title="Your name", description="Kept beside the choice.", max_length=80)

    def choice(self) -> Choice:
        """Return the choice that the form describes.

        Raises:
            ConfigError: for a value that does not fit; the message names the field.
        """
        action, take = self.action, self.take
        takes = [take, *(int(n) for n in self.also.split(",") if n.strip())] if take else []
        if action in ("again", "back", "splice"):
            takes = []
        data: dict[str, object] = {"action": action, "takes": takes}
        if action == "continue":
            data["seconds"] = self.seconds
        if action in ("continue", "more", "again") and self.count:
            data["count"] = self.count
        if action == "upsample":
            data["copies"] = self.copies
            data["anew"] = self.anew
        if action in ("cut", "audition", "redo"):
            data["start"], data["end"] = parse_range(self.stretch, "stretch")
        if action == "splice":
            data["parts"] = parse_parts(self.stretch, "stretch")
        if action in ("continue", "more", "again", "upsample", "change"):
            data["changes"] = {
                name: value
                for name, value in (
                    ("artist", self.artist.strip()),
                    ("genre", self.genre.strip()),
                    ("lyrics", self.lyrics),
                    ("temperature", self.temperature),
                )
                if value
            }
        if action in ("rename", "note") and self.text:
            data["text"] = self.text
        if action == "note" and self.stars >= 0:
            data["stars"] = self.stars
        return Choice.parse(data)
