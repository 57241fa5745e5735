"""Create or update the automations that prefect.yaml cannot express: `python automations.py`.

They are found by name, so the script may run as often as one likes. Both are conveniences: what
was interrupted is continued by the deployment resume-interrupted, which reads the store.

With `JUKEFLOW_WEBHOOK` set, that address gets a message whenever a run waits for a person.
"""

from __future__ import annotations

import os
from datetime import timedelta

from prefect.automations import Automation
from prefect.blocks.webhook import Webhook
from prefect.client.schemas.objects import StateType
from prefect.events.actions import CallWebhook, ChangeFlowRunState
from prefect.events.schemas.automations import EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

from flows.embedded import with_password

HEARTBEAT = timedelta(seconds=30)
"""`PREFECT_FLOWS_HEARTBEAT_FREQUENCY` of the workers; `jukeflow serve` sets it."""

_RUNS = ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]})
_OURS = ResourceSpecification({"prefect.resource.id": ["prefect.tag.jukeflow"]})
_BLOCK = "jukeflow-person-needed"
_PAYLOAD = """\
{
  "event": "choice-needed",
  "text": "{{ flow_run.name }} waits for a choice",
  "run": "{{ flow_run.name }}",
  "link": "{{ flow_run | ui_url }}"
}"""


def zombie() -> Automation:
    """A run whose heartbeat is gone becomes Crashed; one that has ended is never touched."""
    return Automation(
        name="jukeflow-zombie-to-crashed",
        description="A run that gives no sign of life for five heartbeats is marked as crashed.",
        trigger=EventTrigger(
            after={"prefect.flow-run.heartbeat"},
            expect={"prefect.flow-run.*"},
            match=_RUNS,
            match_related=_OURS,
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=5 * HEARTBEAT,
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED, message="No heartbeat: its process or machine is gone."
            )
        ],
    )


def person_needed(webhook: str) -> Automation:
    """A run that is suspended calls a webhook, whose address lies in a block of the server."""
    block = Webhook(method="POST", url=webhook)
    block_id = block.save(_BLOCK, overwrite=True)
    return Automation(
        name="jukeflow-person-needed",
        description="Whoever watches the webhook is told that a run waits for a choice.",
        trigger=EventTrigger(
            expect={"prefect.flow-run.Suspended"},
            match=_RUNS,
            match_related=_OURS,
            for_each={"prefect.resource.id"},
            posture=Posture.Reactive,
            threshold=1,
            within=timedelta(0),
        ),
        actions=[CallWebhook(block_document_id=block_id, payload=_PAYLOAD)],
    )


def apply(automation: Automation) -> str:
    """Create an automation, or update the one of the same name; return what was done."""
    try:
        automation.id = Automation.read(name=automation.name).id
    except ValueError:
        automation.create()
        return "created"
    automation.update()
    return "updated"


def main() -> None:
    with with_password():  # that of a `jukeflow serve` on this machine
        wanted = [zombie()]
        if webhook := os.environ.get("JUKEFLOW_WEBHOOK"):
            wanted.append(person_needed(webhook))
        for automation in wanted:
            print(f"{automation.name}: {apply(automation)}")


if __name__ == "__main__":
    main()
