"""Three versions of a deployment: what we registered last, what is there, what we want now.

Whoever changed a thing last is followed: what is still as we left it becomes what we want now, and
what a person changed stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypedDict, TypeVar

T = TypeVar("T")

_MISSING = object()


class Times(TypedDict):
    """A timetable as it was registered.

    Attributes:
        id: of the schedule in Prefect, which stays when a person renames it; empty if not known.
        times: when it starts runs, as Prefect says it.
        active: whether it is switched on.
        parameters: of the runs it starts.
    """

    id: str
    times: dict[str, object]
    active: bool
    parameters: dict[str, object]


class Registered(TypedDict):
    """A deployment as it was registered.

    Attributes:
        id: in Prefect; another one means that a person deleted it.
        description: one sentence.
        tags: to find it.
        schedules: slug → timetable. Those that a person deleted are in it too.
    """

    id: str
    description: str
    tags: list[str]
    schedules: dict[str, Times]


def merged(last: T, here: T, wanted: T) -> T:
    """Return what is to be there.

    Args:
        last: what we registered last.
        here: what is there.
        wanted: what we want now.
    """
    return wanted if here == last else here


def merged_tags(last: Iterable[str], here: Iterable[str], wanted: Iterable[str]) -> list[str]:
    """Return the tags: ours come and go with us, a person's stay, and what they removed is gone."""
    before, now = set(last), list(dict.fromkeys(wanted))
    kept = [tag for tag in here if tag in now or tag not in before]
    return [*kept, *(tag for tag in now if tag not in before and tag not in kept)]


def merged_parameters(
    last: Mapping[str, object], here: Mapping[str, object], wanted: Mapping[str, object]
) -> dict[str, object]:
    """Return the parameters, each for itself."""
    found = {}
    for name in dict.fromkeys((*here, *wanted)):
        value = merged(*(each.get(name, _MISSING) for each in (last, here, wanted)))
        if value is not _MISSING:
            found[name] = value
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class TimetableChanges:
    """What is to be done to the timetables of a deployment.

    Attributes:
        made: slugs that are new.
        changed: id of a schedule → how it is to be.
        deleted: ids of schedules that we dropped and nobody changed.
        registered: what to remember.
    """

    made: tuple[str, ...]
    changed: dict[str, Times]
    deleted: tuple[str, ...]
    registered: dict[str, Times]


def merged_schedules(
    last: Mapping[str, Times],
    here: Mapping[str, tuple[str | None, Times]],
    wanted: Mapping[str, Times],
    parameters: Mapping[str, object],
) -> TimetableChanges:
    """Return what is to be done to the timetables.

    A timetable of ours that a person deleted stays deleted; one that a person renamed is known by
    its id; those that a person added are not looked at.

    Args:
        last: slug → what we registered last.
        here: id → slug and timetable that is there.
        wanted: slug → what we want now.
        parameters: those of the deployment itself.
    """
    by_slug = {slug: key for key, (slug, _) in here.items() if slug}
    made: list[str] = []
    changed, remembered = {}, {}
    for slug, ours in wanted.items():
        before = last.get(slug)
        found = before["id"] if before and before["id"] in here else by_slug.get(slug)
        if found is None:
            if before is None:
                made.append(slug)
            remembered[slug] = before or ours
            continue
        there = here[found][1]
        base = before or ours
        goal = _still_needed(base, there, ours, parameters)
        how = _merged(base, there, goal)
        if how != there:
            changed[found] = how
        remembered[slug] = Times(**{**goal, "id": found})
    deleted = [
        before["id"]
        for slug, before in last.items()
        if slug not in wanted and before["id"] in here and here[before["id"]] == (slug, before)
    ]
    return TimetableChanges(
        made=tuple(made), changed=changed, deleted=tuple(deleted), registered=remembered
    )


def _merged(last: Times, here: Times, wanted: Times) -> Times:
    return Times(
        id=here["id"],
        times=merged(last["times"], here["times"], wanted["times"]),
        active=merged(last["active"], here["active"], wanted["active"]),
        parameters=merged_parameters(last["parameters"], here["parameters"], wanted["parameters"]),
    )


def _still_needed(
    last: Times, here: Times, wanted: Times, parameters: Mapping[str, object]
) -> Times:
    """Return what we want, with those values of ours that the timetable lives on.

    A value that we gave a timetable once and give no longer is needed as long as the timetable is
    switched on and the deployment has none of that name.
    """
    kept = {
        name: value
        for name, value in last["parameters"].items()
        if here["active"]
        and name not in wanted["parameters"]
        and name not in parameters
        and here["parameters"].get(name, _MISSING) == value
    }
    return Times(**{**wanted, "parameters": {**kept, **wanted["parameters"]}})
