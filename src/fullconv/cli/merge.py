"""fullconv merge: check the shards of a prediction job and merge their lists."""

from typing import Annotated

import typer

from fullconv.cli._console import say, write_json
from fullconv.cli._options import Json
from fullconv.cli._predict_progress import format_counts, format_failures, medium_of


def command(
    outs: Annotated[list[str], typer.Argument(metavar="OUT", help="Output folders of the shards.")],
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Folder or URL for the merged lists.",
            show_default="OUT, if there is only one",
        ),
    ] = None,
    json: Json = None,
) -> None:
    """Merge the shards of a prediction job.

    Checks that every input is there exactly once, then writes manifest.jsonl, errors.jsonl,
    areas.csv, coco.json and contact-sheets/ of all of them.
    """
    from fullconv.batch.manifest import FailureRecord, PredictionRecord
    from fullconv.batch.merge import merge_shards

    records = merge_shards(outs, out)
    failed = [record for record in records if isinstance(record, FailureRecord)]
    folder = out or outs[0]
    done = format_counts(medium_of(r) for r in records if isinstance(r, PredictionRecord))
    heads = next((r.heads for r in records if isinstance(r, PredictionRecord)), {})
    areas = f"{{{','.join(heads)}}}/areas.csv" if heads else "areas.csv"
    say(f"{done}, {len(failed):,} failed, each once -> {folder}/manifest.jsonl, {areas}")
    if failed:
        say(format_failures(failed, f"{folder}/errors.jsonl"))
    predicted = len(records) - len(failed)
    write_json(
        json,
        {"folder": folder, "predicted": predicted, "failed": [record.error for record in failed]},
    )
