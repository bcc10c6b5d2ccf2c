"""Shards are merged only if every input is there exactly once."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from fullconv.batch.create_job import create_job
from fullconv.batch.inputs import resolve_inputs
from fullconv.batch.merge import merge_shards
from fullconv.batch.resume import plan_resume
from fullconv.batch.run import run_job
from fullconv.errors import DataError
from fullconv.model import load
from photos import content, write_model, write_photos

PHOTOS = 8


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """Run three shards, each in its own folder."""
    folder = tmp_path_factory.mktemp("shards")
    write_model(folder / "model.safetensors")
    write_photos(folder / "photos", PHOTOS)
    for index in range(3):
        run(folder, folder / f"shard-{index}", (index, 3))
    return folder


def run(folder, out, shard, photos="photos", kinds=("labels",)):
    model = folder / "model.safetensors"
    found = resolve_inputs([str(folder / photos)])
    # Ids without the temporary folder: the same photos are in the same shards every time.
    inputs = [replace(item, id=str(Path(item.where).relative_to(folder))) for item in found]
    job = create_job(load(model), model, inputs, out=out, shard=shard, kinds=kinds)
    return list(run_job(plan_resume(job, inputs)))


@pytest.fixture
def copied(shards, tmp_path):
    shutil.copytree(shards, tmp_path / "copy")
    return tmp_path / "copy"


def outs(folder):
    return [str(folder / f"shard-{index}") for index in range(3)]


def test_shards_in_several_folders_get_one_manifest(copied):
    records = merge_shards(outs(copied), str(copied / "all"))
    rows = [json.loads(row) for row in (copied / "all/manifest.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == sorted(record.id for record in records)
    assert len(rows) == PHOTOS == len((copied / "all/areas.csv").read_text().splitlines()) - 1
    for row in rows:
        assert (copied / "all" / row["files"]["labels"]).is_file()
    before = content(copied / "all")
    merge_shards(list(reversed(outs(copied))), str(copied / "all"))
    assert content(copied / "all") == before


def refusal(folder, folders=None):
    """Return the message of a merge that is refused and changes nothing."""
    before = content(folder)
    with pytest.raises(DataError) as caught:
        merge_shards(folders or outs(folder), str(folder / "all"))
    assert content(folder) == before
    return str(caught.value)


def test_a_missing_or_duplicate_shard_is_named(copied):
    assert "missing: shard 1/3; run it with --shard 1/3" in refusal(copied, [*outs(copied)[::2]])
    shutil.copytree(copied / "shard-1", copied / "again")
    assert re.search(
        "shard 1/3 .* are the same shard", refusal(copied, [*outs(copied), str(copied / "again")])
    )
    assert "holds no predictions" in refusal(copied, [*outs(copied), str(copied / "photos")])


def test_a_missing_record_or_file_is_named(copied):
    manifest = copied / "shard-0" / "manifest-0-of-3.jsonl"
    lines = manifest.read_text().splitlines(keepends=True)
    file = copied / "shard-0" / json.loads(lines[0])["files"]["labels"]
    file.rename(file.with_suffix(".gone"))
    assert re.search(rf"{file.name}, the prediction of .*, is missing", refusal(copied))
    file.with_suffix(".gone").rename(file)
    manifest.write_text("".join(lines[1:]))
    assert re.search(
        rf"shard 0/3 .* has {len(lines) - 1} of its {len(lines)} inputs", refusal(copied)
    )


def test_a_duplicate_input_is_named(copied):
    lines = {
        index: (copied / f"shard-{index}" / f"manifest-{index}-of-3.jsonl") for index in range(3)
    }
    full = [index for index, path in lines.items() if path.read_text()]
    first, second = (lines[index] for index in full[:2])
    stray = first.read_text().splitlines(keepends=True)[0]
    name = json.loads(stray)["files"]["labels"]
    shutil.copy(first.parent / name, second.parent / name)
    second.write_text(second.read_text() + stray)
    assert "was predicted twice" in refusal(copied)


def test_one_file_for_two_inputs_is_named(copied):
    both = copied / "shard-0"
    records = (both / "manifest-0-of-3.jsonl").read_text().splitlines()
    first, second = map(json.loads, records[:2])
    second |= {"files": first["files"], "name": first["name"]}
    records[1] = json.dumps(second)
    (both / "manifest-0-of-3.jsonl").write_text("\n".join(records) + "\n")
    message = refusal(copied)
    assert f"is the prediction of both {first['id']} and {second['id']}" in message


def test_shards_of_different_jobs_are_refused(copied):
    shutil.rmtree(copied / "shard-2")
    run(copied, copied / "shard-2", (2, 3), kinds=("labels", "overlay"))
    assert "differ in their options" in refusal(copied)
    shutil.rmtree(copied / "shard-2")
    write_photos(copied / "photos" / "more", 1)
    run(copied, copied / "shard-2", (2, 3))
    assert re.search(r"run on 8 inputs, .* on 9 different ones", refusal(copied))


def test_several_folders_need_a_new_one(copied):
    with pytest.raises(DataError, match="--out"):
        merge_shards(outs(copied))
