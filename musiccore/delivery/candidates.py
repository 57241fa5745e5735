"""What a person hears and sees of a round: audio, pictures, loudness, fault flags, one page."""

from __future__ import annotations

from musiccore import audio
from musiccore.audio.measures import longest_silence, tuned
from musiccore.audio.sound import Audio
from musiccore.delivery.impression import fault_facts, hear
from musiccore.delivery.provenance import provenance
from musiccore.delivery.round_page import write_round_page
from musiccore.delivery.song_audio import take_audio
from musiccore.journal.records import Event
from musiccore.runs.deliveries import hurt_takes, missing_pages, round_page_key
from musiccore.runs.levels import CodeArray, codes_sha256
from musiccore.runs.open_run import OpenRun
from musiccore.runs.run_codes import RunCodes
from musiccore.storage.sealed import Json
from musiccore.storage.store import BlobRef
from musiccore.tags import write_tags
from musiccore.takes.rounds import next_round
from musiccore.takes.takes import Audition, Round


def publish_round(run: OpenRun, number: int) -> dict[str, object]:
    """Publish every take of a round, once: what a person needs in order to choose.

    Args:
        run: the claimed run.
        number: of the round.

    Returns:
        The round and its takes.
    """
    with run.safe_stop() as stop:  # a signal inside an encoder would be lost
        one, finished = run.tree().rounds[number], RunCodes(run)
        for take in one.takes:
            if take not in one.published:
                run.say(f"publishing take {take}")
                _publish_take(run, number, take, finished)
            stop.between_units()
        if not run.journal.store.exists(round_page_key(number)):
            write_round_page(run, number)
        return {"round": number, "takes": list(one.takes)}


def publish_lost_takes(run: OpenRun) -> int:
    """Publish again what was published and is lost; the records of what is lost stop counting.

    Args:
        run: the claimed run.

    Returns:
        How many takes and auditions that were.
    """
    with run.safe_stop():
        lost = hurt_takes(run.journal)
        for event in lost:
            _publish_again(run, event)
            run.journal.append("repair", void=[event.seq])
        return len(lost)


def write_lost_pages(run: OpenRun) -> list[int]:
    """Write the pages of published rounds that are gone.

    Args:
        run: the claimed run.

    Returns:
        The rounds.
    """
    lost = missing_pages(run.journal, run.tree())
    for number in lost:
        write_round_page(run, number)
    return list(lost)


def publish_audition(run: OpenRun, choice: int) -> dict[str, object]:
    """Publish a stretch at full quality.

    Args:
        run: the claimed run.
        choice: number of the choice that asked for it.

    Returns:
        The take and the stretch in seconds.
    """
    found = next(a for a in run.tree().auditions if a.choice == choice)
    if found.published is None:
        _publish_audition(run, found)
    seconds = [run.facts.seconds(code) for code in (found.start, found.end)]
    return {"take": found.take, "seconds": seconds}


def begin_round(run: OpenRun, choice: int) -> int:
    """Write down the round that carries out a choice, once.

    Args:
        run: the claimed run.
        choice: number of the choice.

    Returns:
        The number of the round.
    """
    tree = run.tree()
    there = next((one for one in tree.rounds.values() if one.choice == choice), None)
    if there is not None:
        return there.number
    one = next_round(tree, tree.choices[choice - 1])
    record_round(run, one)
    return one.number


def record_round(run: OpenRun, one: Round) -> None:
    """Write a round down in the log of its run."""
    changes: dict[str, Json] = dict(one.changes.model_dump(mode="json", exclude_none=True))
    run.journal.append(
        "round",
        round=one.number,
        kind=one.kind,
        parent=one.parent,
        takes=list(one.takes),
        choice=one.choice,
        known=one.known,
        n_codes=one.n_codes,
        parts=[[part.take, part.start, part.end] for part in one.parts],
        changes=changes,
    )


def score(sound: Audio) -> float:
    """Return how promising a take sounds: in tune, with silence counted against it."""
    silence = longest_silence(sound.samples, sound.sample_rate)
    return tuned(sound.samples, sound.sample_rate) - max(0.0, silence - 1.0)


def _publish_take(run: OpenRun, number: int, take: int, finished: RunCodes) -> None:
    tree, codes = run.tree(), finished.take(take)
    sound = take_audio(run, take, codes)
    rate = run.config.top.sample_rate / run.config.top.hop_length
    known = {run.config.levels - 1: codes_sha256(codes)}
    one = tree.take(take)
    path = f"rounds/{number:03d}/take-{take}.wav"
    data = write_tags(
        audio.write(sound, "wav"), provenance(run, take=take, sound=sound, codes=known)
    )
    run.journal.store.put(path, data)
    ref = BlobRef.of(data)
    run.journal.append(
        "candidate",
        round=number,
        take=take,
        file={"path": path, "sha256": ref.sha256, "size": ref.size},
        **_heard(run, sound),
        flags=fault_facts(sound, codes, rate),
        new_from=run.facts.seconds(one.new_from),
        score=round(score(sound), 4),
    )


def _publish_again(run: OpenRun, event: Event) -> None:
    """Publish what a record is about, unless a later one is about the same."""
    tree = run.tree()
    for one in tree.rounds.values():
        for take in [take for take, published in one.published.items() if published == event]:
            run.say(f"publishing take {take} again, whose sound or pictures are lost")
            _publish_take(run, one.number, take, RunCodes(run))
    for audition in tree.auditions:
        if audition.published == event:
            run.say(f"publishing a stretch of take {audition.take} again, which is lost")
            _publish_audition(run, audition)


def _publish_audition(run: OpenRun, audition: Audition) -> None:
    sound = _stretch(run, RunCodes(run).audition(audition, 0), audition)
    run.journal.append(
        "candidate",
        choice=audition.choice,
        take=audition.take,
        start=run.facts.seconds(audition.start),
        end=run.facts.seconds(audition.end),
        **_heard(run, sound),
    )


def _stretch(run: OpenRun, codes: CodeArray, audition: Audition) -> Audio:
    first, last = (run.codes_at(0, code) for code in (audition.start, audition.end))
    begin = max(0, first - run.codes_at(0, 1) * 16)  # so that its beginning is right
    hop = run.config.priors[0].hop_length
    sound = run.decode(0, codes[begin:last])
    return Audio(samples=sound.samples[:, (first - begin) * hop :], sample_rate=sound.sample_rate)


def _heard(run: OpenRun, sound: Audio) -> dict[str, Json]:
    """Return what a record says of something audible; the large parts go into blobs."""
    heard = hear(sound, run.extra)
    blobs = {name: run.journal.put_blob(data).to_json() for name, data in heard.files.items()}
    return {**heard.facts, **blobs}


def best_take(run: OpenRun, takes: tuple[int, ...]) -> int:
    """Return the take with the best score."""
    if len(takes) == 1:
        return takes[0]
    run.say(f"listening to {len(takes)} takes")
    finished = RunCodes(run)
    scores = {take: score(take_audio(run, take, finished.take(take))) for take in takes}
    return max(scores, key=lambda take: (scores[take], -take))
