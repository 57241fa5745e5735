"""What a person reads where they choose: the description of a form, and an artifact beside the run.

The old generation of the Prefect UI plays the players below, the new one shows their links.
"""

from __future__ import annotations

from musiccore.audio.faults import Fault
from musiccore.runs.snapshot import Picture
from musiccore.timecode import clock
from tasks.links import audio_link, room_link


def invitation(picture: Picture) -> str:
    """Return the invitation to choose, in Markdown."""
    run, tree = picture.status.run, picture.tree
    here = tree.rounds[tree.position]
    room = room_link(run, question=tree.position)
    lines = [
        f"**{_plain(picture.status.title or run)}: {picture.status.words}.** "
        f"[Listen and choose in the room]({room}) (open it in a new tab), "
        "or answer this form.",
        "",
    ]
    for one in picture.candidates():
        number = int(str(one["take"]))
        link = audio_link(run, str(one["preview"]), question=tree.position)
        new = f", new from {clock(float(str(one['new_from'])))}" if here.parent else ""
        flags = [Fault.from_json(flag).in_words() for flag in _flags(one["flags"])]
        facts = ", ".join(
            part
            for part in (
                f"{clock(float(str(one['seconds'])))}{new}",
                "" if one["lufs"] is None else f"{one['lufs']} LUFS",
                *flags,
            )
            if part
        )
        name = f" “{_plain(str(one['name']))}”" if one["name"] else ""
        lines += [
            f"- **take {number}**{name} ({facts}) "
            f'<audio controls preload="none" src="{link}"><a href="{link}">listen</a></audio>',
            "",
        ]
        if one["waveform"]:
            seen = audio_link(run, str(one["waveform"]), question=tree.position)
            lines += [f"  ![waveform of take {number}]({seen})", ""]
    lines += [
        "Each choice is kept; another one later makes a branch. From a terminal:",
        "",
        "```",
        f"jukeflow choose {run} --round {here.number} --seen {tree.seen} "
        f"--take {here.takes[0]} --continue 4s",
        "```",
    ]
    return "\n".join(lines)


def _flags(value: object) -> list[dict[str, object]]:
    return (
        [dict(item) for item in value if isinstance(item, dict)] if isinstance(value, list) else []
    )


def _plain(text: str) -> str:
    """Return text that Markdown shows as it is."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]()<>#+-.!|&" else c for c in text.replace("\n", " "))
