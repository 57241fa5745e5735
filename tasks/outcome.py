"""How a flow of many rows ends: as done, as partly done, or as failed.

Prefect's pages colour a run by the type of its state: every `Completed` is green, whatever its
name. So a run with bad rows ends in a state of type `Failed` named `PartlyDone`, which is red and
says how many; calling such a flow gives its rows all the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar, cast

from prefect import Flow
from prefect.states import Failed

from tasks.outermost import told

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State

P = ParamSpec("P")
R = TypeVar("R")

PARTLY_DONE: Final = "PartlyDone"


def outcome(rows: R, *, failed: int, total: int, what: str, first: str) -> R | State[R]:
    """Return what a flow returns: its rows; where some failed, in a state that shows it.

    Args:
        rows: how each ended.
        failed: how many of them failed.
        total: how many there are.
        what: their name, such as `files`.
        first: what is wrong with the first that failed.
    """
    if not failed:
        return rows
    return Failed(
        name=PARTLY_DONE if failed < total else None,
        message=f"{failed} of {total} {what} failed; the first: {first}",
        data=rows,
    )


class RowsFlow(Flow[P, R]):
    """A flow of many rows. Calling it returns them, whatever state the run ended in."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:  # type: ignore[override]
        """Run it.

        Raises:
            BaseException: what the flow raised.
        """
        wants_state = kwargs.pop("return_state", False)
        state = super().__call__(*args, return_state=True, **kwargs)
        if wants_state:
            return cast("R", state)
        result = state.result(raise_on_failure=False, _sync=True)  # type: ignore[call-overload]
        if isinstance(result, BaseException):
            raise result
        return cast("R", result)


def rows_flow(
    *, name: str, flow_run_name: str | None = None
) -> Callable[[Callable[P, R | State[R]]], RowsFlow[P, R]]:
    """Make a flow of many rows, durable as those of `tasks.policies`.

    Args:
        name: of the flow.
        flow_run_name: of its runs.
    """

    def decorate(function: Callable[P, R | State[R]]) -> RowsFlow[P, R]:
        return RowsFlow(
            told(cast("Callable[P, R]", function)),
            name=name,
            flow_run_name=flow_run_name,
            retries=0,  # a bad row is as bad the next time, and the others are done
            persist_result=False,
            log_prints=False,
            validate_parameters=True,
        )

    return decorate
