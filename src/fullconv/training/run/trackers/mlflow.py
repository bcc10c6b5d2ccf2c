"""MLflow: a run in the store at MLFLOW_TRACKING_URI, or in MLflow's default store."""

import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fullconv.errors import require
from fullconv.training.run.trackers import Numbers, trackers
from fullconv.training.run.trackers._state import read_state, write_state

EXPERIMENT = "fullconv"  # unless MLFLOW_EXPERIMENT_NAME is set
MAX_NAME, MAX_VALUE, MAX_PARAMETERS = 250, 6000, 100  # MLflow's limits
# MLflow's defaults, 7 retries and 120 s, let a training wait minutes for an unreachable store.
RETRY_SETTINGS = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}


@trackers.register("mlflow")
class MLflow:
    """A run with the settings as parameters and the numbers as metrics."""

    _client: Any
    _run: str

    def __init__(self) -> None:
        for name, value in RETRY_SETTINGS.items():
            os.environ.setdefault(name, value)
        self._mlflow = require("mlflow", extra="mlflow", what="--track mlflow")

    def begin(self, folder: Path, name: str, settings: Mapping[str, object]) -> int:
        """See `Tracker`. The last step is read from the store."""
        self._client = self._mlflow.MlflowClient()
        self._run = read_state(folder, "mlflow").get("run", "")
        if self._run:
            self._client.update_run(self._run, status="RUNNING")
            return self._last_step()
        created = self._client.create_run(self._experiment(), run_name=name)
        self._run = created.info.run_id
        write_state(folder, "mlflow", run=self._run)
        parameters = [
            self._mlflow.entities.Param(key, str(value)[:MAX_VALUE])
            for key, value in settings.items()
        ]
        for start in range(0, len(parameters), MAX_PARAMETERS):
            self._client.log_batch(self._run, params=parameters[start : start + MAX_PARAMETERS])
        return 0

    def log(self, step: int, numbers: Numbers) -> None:
        """See `Tracker`. Characters that MLflow refuses in names become "_"."""
        now = int(time.time() * 1000)
        metrics = [
            self._mlflow.entities.Metric(name, value, now, step)
            for name, value in valid_names(numbers).items()
        ]
        self._client.log_batch(self._run, metrics=metrics)

    def end(self, finished: bool) -> None:
        """See `Tracker`."""
        self._client.set_terminated(self._run, "FINISHED" if finished else "KILLED")

    def _experiment(self) -> str:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT)
        found = self._client.get_experiment_by_name(name)
        return str(found.experiment_id if found else self._client.create_experiment(name))

    def _last_step(self) -> int:
        history = self._client.get_metric_history(self._run, "loss")
        return max((int(metric.step) for metric in history), default=0)


def valid_names(numbers: Numbers) -> dict[str, float]:
    """Rename numbers as MLflow requires (unique, without special characters).

    "iou/car (parked)" becomes "iou/car _parked_".
    """
    renamed: dict[str, float] = {}
    for name, value in numbers.items():
        group, slash, rest = name.partition("/") if name.startswith("iou/") else ("", "", name)
        allowed = group + slash + (re.sub(r"[^\w -]", "_", rest) or "_")
        allowed = unique = allowed[: MAX_NAME - 5]
        number = 1
        while unique in renamed:
            number += 1
            unique = f"{allowed} {number}"
        renamed[unique] = value
    return renamed
