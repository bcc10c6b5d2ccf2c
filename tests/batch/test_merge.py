"""A merge happens only where every input is there exactly once."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from fullconv.batch.inputs import resolve_inputs
from fullconv.batch.job import create_job
from fullconv.batch.merge import merge
from fullconv.batch.resume import plan_resume
from fullconv.batch.run import answers
from fullconv.errors import DataError
from fullconv.export.exported import open_model
from photos import content, write_model, write_photos

PHOTOS = 8


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """Each of three shards in a folder of its own."""
    folder = tmp_path_factory.mktemp("shards")
    write_model(folder / "model.safetensors")
    write_photos(folder / "photos", PHOTOS)
    for index in range(3):
        run(folder, folder / f"part-{index}", (index, 3))
    return folder


def run(folder, out, shard, photos="photos", kinds=("labels",)):
    model = folder / "model.safetensors"
    found = resolve_inputs([str(folder / photos)])
    # Ids without this test's folder: the same photos are in the same shards every time.
    inputs = [replace(item, id=str(Path(item.where).relative_to(folder))) for item in found]
    work = create_job(open_model(model), model, inputs, out=out, shard=shard, kinds=kinds)
    return list(answers(plan_resume(work, inputs)))


@pytest.fixture
def copied(shards, tmp_path):
    shutil.copytree(shards, tmp_path / "copy")
    return tmp_path / "copy"


def parts(folder):
    return [str(folder / f"part-{index}") for index in range(3)]


def test_shards_in_several_folders_become_one_list_that_leads_to_their_files(copied):
    records = merge(parts(copied), str(copied / "all"))
    rows = [json.loads(row) for row in (copied / "all/manifest.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == sorted(record.id for record in records)
    assert len(rows) == PHOTOS == len((copied / "all/areas.csv").read_text().splitlines()) - 1
    for row in rows:
        assert (copied / "all" / row["files"]["labels"]).is_file()
    before = content(copied / "all")
    merge(list(reversed(parts(copied))), str(copied / "all"))
    assert content(copied / "all") == before


def refusal(folder, outs=None):
    """What is said of a merge that must not happen, and leaves everything as it is."""
    before = content(folder)
    with pytest.raises(DataError) as caught:
        merge(outs or parts(folder), str(folder / "all"))
    assert content(folder) == before
    return str(caught.value)


def test_a_part_that_is_missing_or_there_twice(copied):
    assert "missing: part 1/3; run it with --shard 1/3" in refusal(copied, [*parts(copied)[::2]])
    shutil.copytree(copied / "part-1", copied / "again")
    assert re.search(
        "part 1/3 .* are the same part", refusal(copied, [*parts(copied), str(copied / "again")])
    )
    assert "holds no answers" in refusal(copied, [*parts(copied), str(copied / "photos")])


def test_an_answer_or_its_file_that_is_missing(copied):
    manifest = copied / "part-0" / "manifest-0-of-3.jsonl"
    lines = manifest.read_text().splitlines(keepends=True)
    file = copied / "part-0" / json.loads(lines[0])["files"]["labels"]
    file.rename(file.with_suffix(".gone"))
    assert re.search(rf"{file.name}, the answer to .*, is missing", refusal(copied))
    file.with_suffix(".gone").rename(file)
    manifest.write_text("".join(lines[1:]))
    assert re.search(
        rf"part 0/3 .* has {len(lines) - 1} of its {len(lines)} inputs", refusal(copied)
    )


def test_an_input_that_is_there_twice_or_of_another_part(copied):
    lines = {
        index: (copied / f"part-{index}" / f"manifest-{index}-of-3.jsonl") for index in range(3)
    }
    full = [index for index, path in lines.items() if path.read_text()]
    first, second = (lines[index] for index in full[:2])
    stray = first.read_text().splitlines(keepends=True)[0]
    name = json.loads(stray)["files"]["labels"]
    shutil.copy(first.parent / name, second.parent / name)
    second.write_text(second.read_text() + stray)
    assert "was answered twice" in refusal(copied)


def test_parts_of_different_jobs(copied):
    shutil.rmtree(copied / "part-2")
    run(copied, copied / "part-2", (2, 3), kinds=("labels", "overlay"))
    assert "differ in their options" in refusal(copied)
    shutil.rmtree(copied / "part-2")
    write_photos(copied / "photos" / "more", 1)
    run(copied, copied / "part-2", (2, 3))
    assert re.search(r"made of 8 inputs, .* of 9 others", refusal(copied))


def test_several_places_need_a_new_one(copied):
    with pytest.raises(DataError, match="--out"):
        merge(parts(copied))
