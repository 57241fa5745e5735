"""What is audible while a song is being made."""

from __future__ import annotations

import uuid

import pytest

from musiccore.conversion.memory import read
from musiccore.runs.preview import EVERY_SECONDS, Sounding
from musiccore.runs.run_codes import RunCodes
from musiccore.storage.store import BlobRef
from tests.flows.plain_steps import Talk, plain_steps


@pytest.fixture(scope="module")
def talk():
    with plain_steps() as steps:
        talk = Talk(f"memory://test-{uuid.uuid4().hex}", steps).begin(window_hop=[48, 48, 8])
        talk.work()
        talk.choose("upsample", 1)
        yield talk


def test_stretches_follow_the_clock_and_cover_the_level(talk):
    with talk.opened() as run:
        song = run.tree().renditions[0]
        work = RunCodes(run).song_work(song, 1)
        now = [0.0]
        sounding = Sounding(run, song, 1, work, clock=lambda: now[0])
        filled = {song.row: work.canvas()}
        before = len(run.journal.events_of("sounding"))
        for number, unit in enumerate(work.units):
            now[0] += EVERY_SECONDS / 2
            sounding(unit, filled)
            made = len(run.journal.events_of("sounding")) - before
            last = number == len(work.units) - 1
            assert made == (number + 1) // 2 + (last and len(work.units) % 2)
        records = run.journal.events_of("sounding")[before:]
        assert [r.fields["start"] for r in records] == [0, *(r.fields["end"] for r in records[:-1])]
        assert records[-1].fields["end"] == work.n_codes
        hop = run.config.priors[1].hop_length
        for record in records:
            sound = read(run.journal.get_blob(BlobRef.from_json(record.fields["blob"])))
            assert sound.n_samples == (record.fields["end"] - record.fields["start"]) * hop
        again = Sounding(run, song, 1, work, clock=lambda: 1e9)
        for unit in work.units:
            again(unit, filled)
        assert len(run.journal.events_of("sounding")) == before + len(records)
