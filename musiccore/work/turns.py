"""Threads that work one at a time and meet where they wait for something to be done for all.

Several songs each have a durable loop of their own, and the model is cheapest when it serves all of
them in one pass. Each loop runs in a thread that holds the turn while it works, so nothing runs
beside anything else; it gives the turn up where it asks for codes. When nobody has work left but to
wait, those who want the same are served together.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import copy_context
from dataclasses import dataclass
from typing import Generic, TypeVar

Want = TypeVar("Want")
Got = TypeVar("Got")
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Made]):
    """How a job ended.

    Attributes:
        value: what it returned; None if it raised.
        error: what it raised.
    """

    value: Made | None = None
    error: BaseException | None = None


class Turns(Generic[Want, Got]):
    """Runs jobs in threads that take turns.

    Args:
        choose: picks, of all that is wanted, what is served next in one go: indices, at least one.
        serve: does so and returns how it went for each; an error of its own reaches all of them.
    """

    def __init__(
        self,
        choose: Callable[[Sequence[Want]], Sequence[int]],
        serve: Callable[[Sequence[Want]], Sequence[Outcome[Got]]],
    ) -> None:
        self._choose = choose
        self._serve = serve
        self._moved = threading.Condition()
        self._turn: int | None = None
        self._ready: deque[int] = deque()
        self._wanted: dict[int, Want] = {}
        self._answers: dict[int, Outcome[Got]] = {}
        self._mine = threading.local()

    def run(self, jobs: Sequence[Callable[[], Made]]) -> list[Outcome[Made]]:
        """Run jobs, each in a copy of this call's context, until all have ended.

        Returns:
            How each ended, in order. A job that fails does not touch the others.
        """
        outcomes: list[Outcome[Made]] = [Outcome() for _ in jobs]

        def body(number: int, job: Callable[[], Made]) -> None:
            self._mine.number = number
            with self._moved:
                self._await_turn(number)
            try:
                outcomes[number] = Outcome(value=job())
            except BaseException as error:  # the caller looks at it
                outcomes[number] = Outcome(error=error)
            with self._moved:
                self._pass_on()

        threads = [
            threading.Thread(target=copy_context().run, args=(body, n, job), daemon=True)
            for n, job in enumerate(jobs)
        ]
        self._ready.extend(range(len(threads)))
        self._pass_on_first()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return outcomes

    def meet(self, want: Want) -> Got:
        """Wait until what this job wants was served; called inside a job only."""
        me: int = self._mine.number
        with self._moved:
            self._wanted[me] = want
            while me not in self._answers:
                if self._ready:
                    self._turn = self._ready.popleft()
                    self._moved.notify_all()
                    self._await_turn(me)
                else:
                    self._serve_some(me)
            answer = self._answers.pop(me)
        if answer.error is not None:
            raise answer.error
        assert answer.value is not None
        return answer.value

    def pause(self) -> None:
        """Let those who can work do so first; called inside a job only."""
        me: int = self._mine.number
        with self._moved:
            if self._ready:
                self._ready.append(me)
                self._pass_on()
                self._await_turn(me)

    def _serve_some(self, me: int) -> None:
        numbers = list(self._wanted)
        chosen = [numbers[i] for i in self._choose([self._wanted[n] for n in numbers])]
        wants = [self._wanted.pop(number) for number in chosen]
        answers: Sequence[Outcome[Got]]
        try:
            answers = self._serve(wants)
        except BaseException as error:  # each of them raises it
            answers = [Outcome(error=error)] * len(wants)
        self._answers.update(zip(chosen, answers, strict=True))
        self._ready.extend(number for number in chosen if number != me)

    def _await_turn(self, me: int) -> None:
        while self._turn != me:
            self._moved.wait()

    def _pass_on(self) -> None:
        """Give the turn to somebody who can work, else to somebody who can serve those who wait."""
        if self._ready:
            self._turn = self._ready.popleft()
        else:
            self._turn = next(iter(self._wanted), None)
        self._moved.notify_all()

    def _pass_on_first(self) -> None:
        with self._moved:
            self._pass_on()
