"""`plan`: the price of a request, what fits into a session, and the speed of this machine."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict

from flows.cli.output import Exit, checking, data, data_json, range_text, table, talk
from flows.cli.request import request_of
from flows.cli.time_budget import budget_seconds, plan_of
from musiccore.errors import ConfigError
from musiccore.models.loading import check_weights
from musiccore.request.budget import Fit, fit_into
from musiccore.request.check import check, conditioning_notes
from musiccore.request.plan import Plan
from musiccore.runs.calibrate import calibrate
from tasks.context import new_store
from tasks.settings import machine


def plan(options: Namespace) -> int:
    with checking():
        here = machine()
        request = request_of(options)
        config = check(request, label_tables=here.labels)
        if options.price is not None and not options.price >= 0:
            raise ConfigError(f"price is {options.price}; it must be at least 0")
        budget = budget_seconds(options)
        store = new_store()
        if options.calibrate:
            check_weights(config, here)
            store.probe()
    if options.calibrate:
        calibrate(store, config, here, say=talk)
    with checking():
        found = plan_of(store, config, request, here)
    fit = None if budget is None else fit_into(found, budget)
    sung = request.sung(config)
    if options.json:
        value = _as_json(options, config.name, found, fit)
        data_json(value if sung is None else {**value, "sung": sung.to_json()})
        return Exit.DONE
    _show(found)
    for words in conditioning_notes(request, config, here.labels):
        data(words)
    if options.price is not None:
        low, high = _price(found, options.price)
        data(f"price: {low:.2f} to {high:.2f} {options.currency}".rstrip())
    if fit is not None:
        _show_fit(fit, options.until)
    talk(_where_from(found))
    return Exit.DONE


def _price(found: Plan, per_hour: float) -> tuple[float, float]:
    return found.seconds_low / 3600 * per_hour, found.seconds_high / 3600 * per_hour


def _as_json(options: Namespace, model: str, found: Plan, fit: Fit | None) -> dict[str, object]:
    value: dict[str, object] = {
        "model": model,
        "device": found.device,
        "levels": [asdict(cost) for cost in found.levels],
        "steps": found.steps,
        "seconds_low": found.seconds_low,
        "seconds_high": found.seconds_high,
        "peak_bytes": found.peak_bytes,
        "measured": found.measured,
    }
    if options.price is not None:
        low, high = _price(found, options.price)
        value |= {
            "price_low": round(low, 4),
            "price_high": round(high, 4),
            "currency": options.currency,
        }
    if fit is not None:
        value["fits"] = asdict(fit)
    return value


def _show(found: Plan) -> None:
    rows = [
        (
            f"level {cost.level}",
            str(cost.windows),
            str(cost.steps),
            range_text(cost.seconds_low, cost.seconds_high),
            f"{cost.peak_bytes / 2**20:.0f} MiB",
            "measured" if cost.measured else "assumed",
        )
        for cost in reversed(found.levels)
    ]
    rows.append(
        (
            "all",
            str(sum(cost.windows for cost in found.levels)),
            str(found.steps),
            range_text(found.seconds_low, found.seconds_high),
            f"{found.peak_bytes / 2**20:.0f} MiB",
            "",
        )
    )
    data(table(rows, ("", "windows", "steps", f"time ({found.device})", "memory", "speed")))


def _show_fit(fit: Fit, until: str) -> None:
    words = {"yes": "everything fits", "maybe": "everything may fit", "no": "not everything fits"}
    data(f"until {until}: {words[fit.whole]}")
    for level in fit.levels:
        some = (
            f"{level.fit_low}"
            if level.fit_low == level.fit_high
            else (f"{level.fit_low} to {level.fit_high}")
        )
        data(f"  level {level.level}: {some} of {level.windows} windows")
    if fit.whole != "yes":
        data(f"  left for another session: {range_text(fit.left_low, fit.left_high)}")


def _where_from(found: Plan) -> str:
    if found.measured:
        return "times: measured on this machine, with what its speed varies by; start-up is assumed"
    if any(cost.measured for cost in found.levels):
        return "times: measured where the table says so, assumed for this kind of machine elsewhere"
    return (
        "times: assumed for this kind of machine, idle to busy\n"
        "hint: --calibrate measures this one in a minute at most"
    )
