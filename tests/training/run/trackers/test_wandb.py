"""Against a stand-in with the signatures of wandb 0.31, which writes a part's rows at its end."""

import json
import sys
from pathlib import Path

import pytest

from fullconv.training.run.trackers import Tracking


class Service:
    def __init__(self):
        self.calls = []

    def init(
        self, *, project, dir, id, name, config, mode, reinit, resume, settings
    ):  # fmt: skip
        self.calls.append({"project": project, "id": id, "mode": mode, "resume": resume})
        assert settings["silent"] and reinit == "create_new"
        part = dir + f"/wandb/offline-run-2026_{len(self.calls):02d}-{id}"
        return Run(part)


class Run:
    def __init__(self, part):
        self.part, self.rows = Path(part), []
        self.dir = f"{part}/files"
        Path(self.dir).mkdir(parents=True)

    def log(self, data, step=None):
        assert not self.rows or step > self.rows[-1]
        self.rows.append(step)

    def finish(self, exit_code=None):
        (self.part / "rows.json").write_text(json.dumps(self.rows))


@pytest.fixture
def service(monkeypatch):
    fake = Service()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    for name in ("WANDB_MODE", "WANDB_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    return fake


def run(folder, steps, past=(), killed=False):
    folder.mkdir(exist_ok=True)
    tracking = Tracking(["wandb"])
    notes = tracking.begin(folder, "street", {"lr": 1}, [(s, {"loss": 1.0}) for s in past])
    notes += [note for step in steps for note in tracking.log(step, {"loss": 1.0})]
    assert notes == []
    if not killed:
        assert tracking.end(True) == []


def sent(folder):
    """Return the steps that `wandb sync` would upload, part by part."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob("wandb/*/rows.json"))]


def test_it_is_offline_by_default(service, tmp_path, monkeypatch):
    run(tmp_path / "a", [10])
    monkeypatch.setenv("WANDB_MODE", "online")
    run(tmp_path / "b", [10])
    assert [call["mode"] for call in service.calls] == ["offline", "online"]


def test_a_resumed_run_keeps_its_id_and_repeats_no_step(service, tmp_path):
    run(tmp_path, [10, 20])
    run(tmp_path, [20, 30], past=[10])
    assert sent(tmp_path) == [[10, 20], [30]]
    assert len({call["id"] for call in service.calls}) == 1
    assert {call["resume"] for call in service.calls} == {"allow"}


def test_rows_lost_in_a_kill_are_logged_again(service, tmp_path):
    run(tmp_path, [10])
    run(tmp_path, [20, 30], past=[10], killed=True)
    run(tmp_path, [40], past=[10, 20, 30])
    assert sent(tmp_path) == [[10], [20, 30, 40]]
    assert len(list((tmp_path / "wandb").iterdir())) == 2, "the incomplete part is removed"


def test_an_uploaded_part_is_kept_and_not_logged_again(service, tmp_path):
    run(tmp_path, [10, 20], killed=True)
    (part,) = (tmp_path / "wandb").iterdir()
    (part / "run.wandb.synced").write_text("")
    run(tmp_path, [30], past=[10, 20])
    assert sent(tmp_path) == [[30]] and part.is_dir()


@pytest.mark.parametrize("name", ["../../precious", "precious", ".", ""])
def test_nothing_else_is_deleted(service, tmp_path, name):
    precious = tmp_path / "run" / "wandb" / "precious"
    precious.mkdir(parents=True)
    known = {"wandb": {"id": "a", "step": 10, "sure": 0, "open": name}}
    (tmp_path / "run" / "tracking.json").write_text(json.dumps(known))
    run(tmp_path / "run", [20])
    assert precious.is_dir() and sent(tmp_path / "run") == [[20]]
