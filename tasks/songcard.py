"""A finished song on one card, for a page of Prefect: what it is, and where all of it is."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from musiccore.errors import StorageError
from musiccore.pages.html import size_text
from musiccore.runs.snapshot import Picture
from musiccore.storage.store import Store
from musiccore.timecode import length
from tasks.links import room_link, song_link

_SHOWN = ("master", "score", "codes")


@dataclass(frozen=True, slots=True, kw_only=True)
class SongCard:
    """What a person wants to know of a finished song.

    Attributes:
        run: name of its run.
        number: of the song.
        take: number of the take that it was made of.
        title: what it is called.
        facts: artist, genre and model.
        seconds: its length.
        folder: where it lies, below the folder of the run.
        files: name and size in bytes of what a listener gets.
        store: the folder of the run.
        sung: what became of lyrics that the model cannot sing as they are, in sentences.
    """

    run: str
    number: int
    take: int
    title: str
    facts: tuple[str, ...]
    seconds: float
    folder: str
    files: tuple[tuple[str, int], ...]
    store: Store
    sung: tuple[str, ...] = ()

    @classmethod
    def of(cls, picture: Picture, number: int) -> SongCard:
        """Read a song that is delivered."""
        tree, run = picture.tree, picture.status.run
        song = tree.rendition(number)
        assert song.exported is not None
        request, fields = tree.work_request(song), song.exported.fields
        words, sung = request.conditioning, request.sung(tree.facts.config)
        master, files = fields.get("master"), fields.get("files")
        title, name = picture.status.title or run, tree.take(song.take).name
        return cls(
            run=run,
            number=number,
            take=song.take,
            title=f"{title} ({name})" if name else title,
            facts=tuple(filter(None, (words.artist, words.genre, picture.status.model))),
            seconds=float(str(master["seconds"])) if isinstance(master, dict) else 0.0,
            folder=str(fields["folder"]),
            files=tuple(
                (str(file["path"]).rsplit("/", 1)[1], int(str(file["size"])))
                for file in (files if isinstance(files, list) else [])
                if isinstance(file, dict) and file["kind"] in _SHOWN
            ),
            store=picture.journal.store,
            sung=() if sung is None else tuple(sung.sentences()),
        )

    def spectrogram(self) -> bytes | None:
        """Return a picture of its sound as PNG; None if there is none."""
        with suppress(StorageError):
            return self.store.get(f"{self.folder}/level_0_spectrogram.png")
        return None

    def text(self) -> str:
        """Return the card in Markdown; its links lead into the listening room."""
        facts = "".join(f", {plain(fact)}" for fact in self.facts)
        page = song_link(self.run, self.number, "index.html")
        lines = [
            f"# {plain(self.title)}",
            "",
            f"**{length(self.seconds)}**{facts}. Song {self.number} of the run "
            f"{plain(self.run)}, made of take {self.take}.",
            "",
            f"- [Listen in the room, and go on from here]({room_link(self.run)})",
            f"- [The page of the song]({page})",
            *(
                f"- [{name}]({song_link(self.run, self.number, name)}), {size_text(n_bytes)}"
                for name, n_bytes in self.files
            ),
            f"- all of it lies in `{self.store.location(self.folder)}`",
        ]
        for words in self.sung:
            lines += ["", plain(words)]
        listen = next((name for name, _ in self.files if name.endswith(".mp3")), None)
        if listen is not None:
            link = song_link(self.run, self.number, listen)
            lines += [
                "",
                f'<audio controls preload="none" src="{link}"><a href="{link}">listen</a></audio>',
            ]
        return "\n".join(lines)


def plain(text: str) -> str:
    """Return text that Markdown shows as it is."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>#|&" else c for c in text.replace("\n", " "))
