"""fullconv merge: the parts of a job that many machines did, checked and put together."""

from typing import Annotated

import typer

from fullconv.cli._console import say, write_json
from fullconv.cli._options import Json
from fullconv.cli._predict_progress import counted, medium_of


def command(
    outs: Annotated[
        list[str], typer.Argument(metavar="OUT...", help="What --out was for the parts.")
    ],
    out: Annotated[
        str | None,
        typer.Option("--out", help="Folder or URL for the merged lists; default OUT, if only one."),
    ] = None,
    json: Json = None,
) -> None:
    """Check that every input is there exactly once; write the lists, and what is made of all.

    These are manifest.jsonl, errors.jsonl, areas.csv, coco.json and contact-sheets/.
    """
    from fullconv.batch.manifest import FailureRecord, PredictionRecord
    from fullconv.batch.merge import merge

    records = merge(outs, out)
    failed = [one.error for one in records if isinstance(one, FailureRecord)]
    where = out or outs[0]
    done = counted(medium_of(one) for one in records if isinstance(one, PredictionRecord))
    say(f"{done}, {len(failed):,} failed, each once -> {where}/manifest.jsonl, areas.csv")
    if failed:
        say(f"what failed  {where}/errors.jsonl; fullconv predict ... --retry-failed")
    write_json(json, {"folder": where, "answers": len(records) - len(failed), "failed": failed})
