"""`plan`: the price of a request."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict
from typing import Literal

from flows.cli.output import Exit, checking, data, data_json, range_text, table
from flows.cli.request import request_of
from musiccore.planning import Plan
from tasks.settings import Settings


def plan(options: Namespace) -> int:
    with checking():
        settings = Settings.from_environment()
        request = request_of(options)
        config = request.check(label_tables=settings.labels)
        device: Literal["cpu", "cuda"] = "cuda" if settings.device.startswith("cuda") else "cpu"
        found = Plan.of(config, request, device=device)
    if options.json:
        data_json(
            {
                "model": config.name,
                "device": found.device,
                "levels": [asdict(cost) for cost in found.levels],
                "steps": found.steps,
                "seconds_low": found.seconds_low,
                "seconds_high": found.seconds_high,
                "peak_bytes": found.peak_bytes,
            }
        )
        return Exit.DONE
    rows = [
        (
            f"level {cost.level}",
            str(cost.windows),
            str(cost.steps),
            range_text(cost.seconds_low, cost.seconds_high),
            f"{cost.peak_bytes / 2**20:.0f} MiB",
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
        )
    )
    data(table(rows, ("", "windows", "steps", f"time ({found.device})", "memory")))
    return Exit.DONE
