"""An unattended run reads what it needs once: its log, its codes, its weights."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable

import pytest

from musiccore.delivery.carry_out import HERE, Steps, carry_out
from musiccore.errors import NotFound
from musiccore.journal.chain import record_key
from musiccore.journal.journal import Journal
from musiccore.models.machine import Machine
from musiccore.request.request import GenerationRequest
from musiccore.runs.create import start
from musiccore.runs.open_run import open_run
from musiccore.runs.run_codes import RunCodes
from musiccore.runs.snapshot import Picture
from musiccore.runs.status import describe_run
from musiccore.storage.backends import MemoryBackend
from musiccore.storage.store import BlobRef, open_store


@pytest.fixture
def reads(monkeypatch) -> Counter[str]:
    """How often each object of the store was read, by its key in the run."""
    counted: Counter[str] = Counter()
    real: Callable[..., bytes] = MemoryBackend.read

    def counting(self: MemoryBackend, key: str, limit: int | None) -> bytes:
        counted[key.removeprefix("song/")] += 1
        return real(self, key, limit)

    monkeypatch.setattr(MemoryBackend, "read", counting)
    return counted


def unattended(reads: Counter[str]) -> tuple[str, Counter[str]]:
    """Make a song; return its store, and what was read since its codes were there."""
    root, before = f"memory://test-{uuid.uuid4().hex}", Counter[str]()
    store, here = open_store(root), Machine()
    request = GenerationRequest(model="tiny", seconds=0.5, takes=2, choose="best", formats=("wav",))
    start(store, request, "song", here)

    def decode_song(song, level: int) -> object:
        if not before:
            before.update(reads)
        return HERE.decode_song(song, level)

    with open_run(store, "song", here) as run:
        carry_out(run, Steps(decode_song=decode_song))
        assert Picture.of_open(run).status.state == "done"
    return root, reads - before


def test_log_is_read_whole_twice_at_most(reads) -> None:
    root, _ = unattended(reads)
    assert describe_run(open_store(root), "song").state == "done"
    assert max(reads[record_key(seq)] for seq in range(1, 40)) <= 2


def test_codes_of_each_level_are_read_twice_at_most_for_a_delivery(reads) -> None:
    root, delivering = unattended(reads)
    levels = Journal.open(open_store(root), "song").events_of("level_done")
    assert {event.fields["level"] for event in levels} == {0, 1, 2}
    for event in levels:
        blob = BlobRef.from_json(event.fields["blob"])
        assert 1 <= delivering[blob.key] <= 2


def test_asking_for_codes_never_samples(reads, monkeypatch) -> None:
    root, _ = unattended(reads)
    monkeypatch.setattr("musiccore.runs.model_sampler.ModelSampler.__call__", None)
    store = open_store(root)
    with open_run(store, "song", Machine()) as run:
        song = run.tree().rendition(1)
        for level, prior in enumerate(run.config.priors):
            n_codes = run.codes_at(level, run.tree().take(song.take).n_codes)
            assert len(RunCodes(run).song(song, level)) == n_codes, prior.name
        (done,) = (e for e in run.journal.events_of("level_done") if e.fields["level"] == 1)
        store.at("song").put(BlobRef.from_json(done.fields["blob"]).key, b"damaged")
        with pytest.raises(NotFound, match="level 1 of song 1 is not finished"):
            RunCodes(run).song(song, 0)


def test_weights_are_digested_once_as_long_as_they_stay_as_they_are(tmp_path, monkeypatch) -> None:
    from musiccore.models import checkpoints
    from musiccore.models.loading import Models, weights_path
    from musiccore.models.presets import preset

    real, digested = checkpoints.file_sha256, Counter[str]()

    def counting(path) -> str:
        digested[path.name] += 1
        return real(path)

    monkeypatch.setattr(checkpoints, "file_sha256", counting)
    config = preset("nano")
    for network in (config.vqvae, *config.priors):
        path = weights_path("nano", network, Machine())
        assert path is not None
        (tmp_path / "other").mkdir(exist_ok=True)
        (tmp_path / "other" / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr("musiccore.models.loading._OURS", tmp_path / "none")
    (tmp_path / "other").rename(tmp_path / "nano")
    machine = Machine(models=tmp_path)
    assert Models(config, machine).digests() == Models(config, machine).digests()
    assert set(digested.values()) == {1}
    path = tmp_path / "nano" / "vqvae.safetensors"
    path.write_bytes(path.read_bytes() + b"\0")
    Models(config, machine).digests()
    assert digested["vqvae.safetensors"] == 2
