"""MLflow: a run in the store that MLFLOW_TRACKING_URI names, else in MLflow's own default."""

import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fullconv.errors import require
from fullconv.training.run.trackers import Numbers, trackers
from fullconv.training.run.trackers._state import recall, remember

EXPERIMENT = "fullconv"  # where MLFLOW_EXPERIMENT_NAME names no other
LONGEST_NAME, LONGEST_VALUE, MOST = 250, 6000, 100  # of parameters; MLflow's limits
# MLflow's own are 7 times, 120 seconds: a training would wait minutes for a store that is away.
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}


@trackers.register("mlflow")
class MLflow:
    """A run with its settings as parameters and its numbers as metrics."""

    _client: Any
    _run: str

    def __init__(self) -> None:
        for name, value in PATIENCE.items():
            os.environ.setdefault(name, value)
        self._mlflow = require("mlflow", extra="mlflow", what="--track mlflow")

    def begin(self, folder: Path, name: str, settings: Mapping[str, object]) -> int:
        """See `Tracker`. The last step is asked from the store."""
        self._client = self._mlflow.MlflowClient()
        known = recall(folder, "mlflow")
        if known:
            self._run = str(known["run"])
            self._client.update_run(self._run, status="RUNNING")
            return self._last_step()
        created = self._client.create_run(self._experiment(), run_name=name)
        self._run = created.info.run_id
        remember(folder, "mlflow", run=self._run)
        parameters = [
            self._mlflow.entities.Param(key, str(value)[:LONGEST_VALUE])
            for key, value in settings.items()
        ]
        for start in range(0, len(parameters), MOST):
            self._client.log_batch(self._run, params=parameters[start : start + MOST])
        return 0

    def log(self, step: int, numbers: Numbers) -> None:
        """See `Tracker`. A name with characters that MLflow refuses gets "_" in their place."""
        now = int(time.time() * 1000)
        metrics = [
            self._mlflow.entities.Metric(name, value, now, step)
            for name, value in named(numbers).items()
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


def named(numbers: Numbers) -> dict[str, float]:
    """The numbers under names that MLflow takes, no two alike: "iu/car (parked)" has none."""
    allowed: dict[str, float] = {}
    for name, value in numbers.items():
        group, slash, rest = name.partition("/") if name.startswith("iu/") else ("", "", name)
        plain = group + slash + (re.sub(r"[^\w -]", "_", rest) or "_")
        plain = free = plain[: LONGEST_NAME - 5]
        number = 1
        while free in allowed:
            number += 1
            free = f"{plain} {number}"
        allowed[free] = value
    return allowed
