"""A file's music made again from the file alone, and compared with it."""

from __future__ import annotations

from tasks.artifacts import show_table
from tasks.policies import durable_flow
from tasks.reproduce_steps import begin_again, compare_again, make_again
from tasks.story import tell


@durable_flow(name="reproduce", flow_run_name="reproduce-{file}")
def reproduce(file: str, primer: str = "", out: str = "") -> dict[str, object]:
    """Make the music of a file again, and say whether it is the same.

    Args:
        file: Audio that jukeflow delivered, converted or not, on the worker's disk.
        primer: The file that the music starts from, where it starts from one.
        out: Where the sound that was made again is written; empty for nowhere.

    Returns:
        The verdict and what was compared.
    """
    prospect = begin_again(file, primer)
    make_again(prospect.run_id, file)
    verdict = compare_again(prospect.run_id, file, out).to_json()
    tell(f"Made it again: {verdict['verdict']}.")
    rows = [{"what": name, "found": str(value)} for name, value in verdict.items()]
    show_table(rows, key="reproduced", description=f"{file}, made again and compared.")
    return {"run": prospect.run_id, **verdict}
