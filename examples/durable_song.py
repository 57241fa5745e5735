"""A durable song from the library alone: stop it at any moment, run it again, and it goes on.

python examples/durable_song.py FOLDER [MODEL]
"""

import sys

from musiccore.delivery.carry_out import carry_out
from musiccore.models.machine import Machine
from musiccore.request.request import GenerationRequest
from musiccore.runs.create import start
from musiccore.runs.open_run import open_run
from musiccore.runs.status import describe_run
from musiccore.storage.store import open_store

folder, model = [*sys.argv[1:], "nano"][:2]
store, machine = open_store(folder), Machine()
request = GenerationRequest(model=model, seconds=2.0 if model == "tiny" else 12.0, choose="first")
start(store, request, "first-song", machine)
with open_run(store, "first-song", machine) as run:
    carry_out(run)
for song in describe_run(store, "first-song").masters:
    print(song.path)
