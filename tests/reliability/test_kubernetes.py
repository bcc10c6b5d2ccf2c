"""The Kubernetes jobs in docs/deploy.md call existing commands (checked with stand-ins)."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from fullconv.cli import run

PAGE = Path(__file__).parents[2] / "docs" / "deploy.md"
JOBS = [
    yaml.safe_load(block)
    for block in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
]
DOCKERFILE = (PAGE.parents[1] / "Dockerfile").read_text()
ENTRYPOINT = json.loads(re.search(r"^ENTRYPOINT (.*)$", DOCKERFILE, re.MULTILINE)[1])
STAND_IN = f"#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n"


def called(container, folder, **environment):
    """Return the arguments of the container's program."""
    for name in ("fullconv", "torchrun"):
        path = folder / name
        path.write_text(STAND_IN, encoding="utf-8")
        path.chmod(0o755)
    command = [*container.get("command", ENTRYPOINT), *container.get("args", [])]
    assert all(isinstance(word, str) for word in command)
    environment |= {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def containers(job):
    """Return the containers of a job, or those of kinds that have no pod template."""
    if job["kind"] == "TrainJob":
        return [job["spec"]["trainer"]]
    if job["kind"] == "InferenceService":
        return job["spec"]["predictor"]["containers"]
    return job["spec"]["template"]["spec"]["containers"]


@pytest.mark.parametrize("job", JOBS, ids=lambda job: f"{job['kind']}-{job['metadata']['name']}")
def test_jobs_use_existing_commands_and_options(job, tmp_path, capsys):
    (container,) = containers(job)
    words = called(container, tmp_path, JOB_COMPLETION_INDEX="3")
    assert not any("$" in word for word in words), "every variable is known"
    if "-m" in words:  # torchrun's own words come before
        words = words[words.index("-m") + 2 :]
    assert run([words[0], "--help"]) == 0
    known = capsys.readouterr().out
    assert [word for word in words if word.startswith("--") and word not in known] == []


def test_each_pod_has_its_own_shard(tmp_path):
    (job,) = (job for job in JOBS if job["metadata"]["name"] == "predict")
    (container,) = containers(job)
    count = job["spec"]["completions"]
    parts = []
    for index in (0, count - 1):
        words = called(container, tmp_path, JOB_COMPLETION_INDEX=str(index))
        parts.append(words[words.index("--shard") + 1])
    assert parts == [f"0/{count}", f"{count - 1}/{count}"]
    assert job["spec"]["completionMode"] == "Indexed"


def test_pods_have_time_to_save_a_checkpoint():
    for job in JOBS:
        if job["kind"] == "Job":
            assert job["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] >= 60
