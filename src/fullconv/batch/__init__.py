"""Predict many photos, rasters and videos: resumable, sharded, on one machine or many.

    import fullconv as fc

    for record in fc.batch.predict_many("runs/train/latest", "photos", "predictions"):
        print(record.id, record)

The names are imported when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fullconv.batch.manifest import FailureRecord, PredictionRecord
    from fullconv.batch.merge import merge_shards
    from fullconv.batch.predict import encode_prediction, predict_many, write_prediction
    from fullconv.batch.video import overlay_video
    from fullconv.batch.writers.contact_sheet import draw_contact_sheets

__all__ = [  # noqa: RUF022 - in the order a user meets them
    "predict_many",
    "PredictionRecord",
    "FailureRecord",
    "merge_shards",
    "write_prediction",
    "encode_prediction",
    "draw_contact_sheets",
    "overlay_video",
]

# Public name -> the module it is defined in.
_HOMES = {
    "predict_many": "predict",
    "PredictionRecord": "manifest",
    "FailureRecord": "manifest",
    "merge_shards": "merge",
    "write_prediction": "predict",
    "encode_prediction": "predict",
    "draw_contact_sheets": "writers.contact_sheet",
    "overlay_video": "video",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
