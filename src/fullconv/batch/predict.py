"""Predict many inputs, or write one prediction, with the options of `fullconv predict`."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fullconv.batch.create_job import create_job
from fullconv.batch.inputs import Input, detect_media, resolve_inputs
from fullconv.batch.job import PredictionJob
from fullconv.batch.left_out import LeftOut
from fullconv.batch.manifest import Record
from fullconv.batch.names import output_files
from fullconv.batch.resume import PendingWork, plan_resume
from fullconv.batch.run import run_job
from fullconv.batch.writers import writers
from fullconv.errors import ConfigError, check_type
from fullconv.hardware import choose_device
from fullconv.inference.prediction import Prediction
from fullconv.inference.tta_scales import check_scales
from fullconv.io.atomic import scratch, write_bytes
from fullconv.io.contained import contained
from fullconv.io.rasters import BandChoice
from fullconv.model import Model, load

DEFAULT_KINDS = ("labels", "overlay")


def predict_many(
    model: str | Path | Model,
    inputs: str | Path | Iterable[str | Path],
    out: str | Path,
    *,
    save: Sequence[str] = DEFAULT_KINDS,
    tta: bool = False,
    scales: Sequence[float] | None = None,
    bands: tuple[int, ...] | None = None,
    value_range: tuple[float, float] | None = None,
    memory: str | None = None,
    threads: int | None = None,
    device: str = "auto",
    engine: str = "auto",
    executor: str = "local",
    shard: tuple[int, int] = (0, 1),
    retry_failed: bool = False,
    fresh: bool = False,
    head: str = "",
) -> Iterator[Record]:
    """Predict photos, rasters and videos, as `fullconv predict` does; the same call resumes.

    Yields a record for every input: first those that an earlier call finished, then each new one
    as soon as its files are complete. Options are checked at once; predictions are computed while
    the records are consumed.

    Args:
        model: a model, or the path of a run folder, a .safetensors file or an exported file.
        inputs: photos, rasters, videos, folders, patterns ("new/*.jpg"), URLs, "@LIST" (a file with
            one of these per line) or manifests (.jsonl files with id and path).
        out: the output folder or URL.
        save: kinds of files, as of `fullconv predict --save`: a list, or names joined by commas.
        tta: whether to use test-time augmentation.
        scales: scales for test-time augmentation (implies `tta`); None: the model's.
        bands: of rasters: red, green and blue, or one grey band, from 1; None: as in training.
        value_range: raster values that become black and white; None: as in training.
        memory: limit for everything that is computed at once, e.g. "2GiB".
        threads: CPU threads per photo; None: one for many photos, all for few.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".
        engine: "auto", or "torch", "onnx" or "openvino", which computes photos and videos whatever
            its speed, and rasters where its windows cost little more than the whole.
        executor: "local" or "ray".
        shard: (i, n) for shard i of n, from 0; `merge_shards` merges their lists.
        retry_failed: retry inputs that failed before.
        fresh: remove earlier predictions in `out` first.
        head: one of several heads of the model; "" for all, each in a folder of its name.

    Raises:
        ConfigError: an option is invalid, or a `Model` is given to another executor than "local".
        ImageError: there is no such input.
    """
    if scales is not None:
        scales = check_scales(scales)
    wanted = _Wanted(check_kinds(save), tta, scales, BandChoice(bands, value_range), head)
    with ExitStack() as stack:  # removes the file of a `Model` when the predictions are finished
        path = _save_if_needed(model, executor, stack)
        resources: dict[str, Any] = {
            "device": str(choose_device(device)),
            "threads": threads,
            "memory": memory,
        }
        resources |= {"engine": engine, "distributed": executor != "local", "fresh": fresh}
        job, found = _create_job(path, inputs, wanted, {"out": out, "shard": shard, **resources})
        pending = plan_resume(job, found, executor=executor, retry_failed=retry_failed, fresh=fresh)
        return _run(pending, stack.pop_all())


def write_prediction(
    prediction: Prediction, folder: str | Path, name: str, save: Sequence[str] = DEFAULT_KINDS
) -> list[Path]:
    """Write the output files of one prediction, e.g. folder/labels/name.png; return their paths.

    Each of several heads has a folder of its name, e.g. folder/geometric/labels/name.png.

    Raises:
        DataError: the name leads out of the folder.
        OutputError: a file cannot be written.
    """
    files = output_files(Input(name, name, name), check_kinds(save), [*prediction.heads])
    paths = {k: contained(Path(folder), file, replaced=True) for k, file in files.items()}
    for kind, path in paths.items():
        head, _, own = kind.rpartition("/")
        write_bytes(path, encode_prediction(prediction.by_head()[head], own))
    return list(paths.values())


def encode_prediction(prediction: Prediction, kind: str) -> bytes:
    """Return the bytes of an output file, e.g. of the kind "geojson"."""
    return writers[kind].encode(prediction)


def check_kinds(kinds: Sequence[str]) -> tuple[str, ...]:
    """Return the output kinds, of a list or as on the command line: joined by commas.

    Raises:
        UnknownNameError: there is no such kind.
    """
    found = tuple(kinds.split(",")) if isinstance(kinds, str) else tuple(kinds)
    for kind in found:
        _ = writers[kind]
    return found


@dataclass(frozen=True)
class _Wanted:
    """What a prediction is to be: the options of `predict_many` that the model completes."""

    kinds: tuple[str, ...]
    tta: bool
    scales: Sequence[float] | None
    band_choice: BandChoice
    head: str


def _create_job(
    path: str | Path,
    inputs: str | Path | Iterable[str | Path],
    wanted: _Wanted,
    options: dict[str, Any],
) -> tuple[PredictionJob, list[Input]]:
    """Load the model, find the inputs and create the job; `options` are of `create_job`."""
    loaded, left_out = load(path), LeftOut()
    loaded = loaded.one_head(wanted.head) if wanted.head else loaded
    choice = wanted.band_choice.or_else(loaded.band_choice)
    sources = [inputs] if isinstance(inputs, str | Path) else [*inputs]
    for source in sources:
        check_type("an input", source, (str, Path), "a path or a URL; Model.predict takes arrays")
    resolved = resolve_inputs(map(str, sources), options["out"], left_out)
    found = detect_media(resolved, choice.is_explicit)
    job = create_job(
        loaded,
        path,
        found,
        kinds=wanted.kinds,
        scales=wanted.scales or (loaded.tta_scales if wanted.tta else ()),
        band_choice=choice,
        left_out=left_out,
        head=wanted.head,
        **options,
    )
    return job, found


def _save_if_needed(model: str | Path | Model, executor: str, stack: ExitStack) -> str | Path:
    """Return the path of a model; a `Model` is saved, since jobs open their model from a file."""
    if not isinstance(model, Model):
        return model
    if model.exported:
        return model.exported.path
    if executor != "local":
        raise ConfigError(
            f"the executor {executor} opens the model from a file on each machine; save the model "
            "and give its path"
        )
    folder = stack.enter_context(scratch())
    model.save(folder / "model.safetensors")
    return folder / "model.safetensors"


def _run(pending: PendingWork, stack: ExitStack) -> Iterator[Record]:
    with stack:
        yield from pending.records.values()
        yield from run_job(pending)
