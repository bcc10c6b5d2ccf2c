"""Many photos being answered, as a terminal sees it: what is skipped, the time left, the end."""

from time import monotonic
from typing import TYPE_CHECKING, Any

import typer

from fullconv.commands._show import progress, say
from fullconv.commands._stop import STOPPED, stoppable

if TYPE_CHECKING:
    from fullconv.bulk import Todo
    from fullconv.manifest import Record


def follow(todo: "Todo", quiet: bool = False) -> "dict[str, Record]":
    """Answer what is left, telling how it goes; gives all records, of before and now.

    Raises:
        typer.Exit: it was asked to stop; everything that was answered is saved.
    """
    from fullconv.bulk import answers
    from fullconv.manifest import Failure

    records, left = dict(todo.records), len(todo.left)
    began, noted = monotonic(), 0
    if records:
        say(f"{len(records)} of {len(todo.inputs)} photos are done already in {todo.work.out}")
    with stoppable() as stopped, progress(quiet) as bar:
        task = bar.add_task("predicting", total=left)
        for record in answers(todo, stopped):
            records[record.id] = record
            bar.advance(task)
            if isinstance(record, Failure):
                say(f"skipped: {record.error}")
            elif record.note:
                noted += 1
                if noted == 1:
                    say(f"{record.id}: {record.note}")
    _tell(todo, records, len(records) - len(todo.records), monotonic() - began)
    if noted > 1:
        say(f"the same holds for {noted - 1} more; manifest.jsonl says for which")
    if stopped:
        say(f"Stopped; {left - len(records) + len(todo.records)} photos are left.")
        say(f"Go on with:  the same command and --out {todo.work.out}")
        raise typer.Exit(STOPPED[stopped[0]])
    return records


def _tell(todo: "Todo", records: "dict[str, Record]", new: int, seconds: float) -> None:
    from fullconv.manifest import Failure

    job = todo.work.job
    failed = sum(isinstance(record, Failure) for record in records.values())
    rate = f", {new / seconds:.1f} photos/s" if new > 1 else ""
    files = f"{{{','.join(todo.work.kinds)}}}, {job.file('areas', '.csv')}"
    say(f"{len(records) - failed} photos, {failed} failed{rate} -> {todo.work.out}/{files}")
    if failed:
        say(f"what failed  {todo.work.out}/{job.file('errors', '.jsonl')}; again: --retry-failed")


def as_json(records: "dict[str, Record]") -> dict[str, Any]:
    """What --json writes: name and areas of each answer, and why others failed."""
    from fullconv.manifest import Answer, Failure

    answers = [
        {"photo": one.id, "name": one.name, "areas": one.areas}
        for one in records.values()
        if isinstance(one, Answer)
    ]
    failed = [one.error for one in records.values() if isinstance(one, Failure)]
    return {"answers": answers, "failed": failed}
