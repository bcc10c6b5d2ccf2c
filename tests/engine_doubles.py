"""Stand-ins for engines: they compute a copy of the network, so tests need no conversion."""

import copy

import torch

from fullconv.engines import choose, large_images
from fullconv.engines.cache import WindowCosts
from fullconv.inference.runtimes.onnx import run_onnx_stage


class Doubles:
    """What stands for the conversion, the engines and the clock.

    Attributes:
        converted: number of conversions.
        opened: names of the engines opened.
        seconds: what timing finds, by engine.
        pixel_seconds: what timing finds of windows, in one stage, in stages and of strips.
        timed: number of times that windows were timed.
        changed: added to the engines' scores.
    """

    def __init__(self):
        self.converted, self.opened, self.changed, self.timed = 0, [], 0.0, 0
        self.pixel_seconds = {"whole": 1.0, "stages": 1.5, "strips": 90.0}
        self.seconds = {"torch": 3.0, "onnx": 2.0, "openvino": 1.0}
        self._network = None

    def save(self, network, path, patient):
        self.converted += 1
        self._network = copy.deepcopy(network).eval()
        path.write_bytes(b"graph")

    def opener(self, name):
        def open_engine(path):
            assert path.read_bytes() == b"graph"
            self.opened.append(name)
            network = self._network

            @torch.inference_mode()
            def run(image):
                return network(torch.from_numpy(image)).numpy() + self.changed

            return run

        return open_engine

    def time_windows(self, network, run, staged):
        self.timed += 1
        stages = staged.stages if staged else ()
        total = sum(stage.work for stage in stages)
        return WindowCosts(
            whole=(0, self.pixel_seconds["whole"]),
            stages=[(0, self.pixel_seconds["stages"] * s.work / total) for s in stages],
            strips=self.pixel_seconds["strips"],
        )

    def time(self, runs, size):
        return {name: s for name, s in self.seconds.items() if name in (*runs, "torch")}


def install_doubles(monkeypatch, cache):
    """Let engines be copies of the network, with a cache of the test's own."""
    made = Doubles()
    names = ("onnx", "openvino")
    monkeypatch.setenv("FULLCONV_CACHE", str(cache))
    monkeypatch.setenv("FULLCONV_ENGINE", "auto")
    monkeypatch.setattr(choose, "save_onnx", made.save)
    monkeypatch.setattr(choose, "_OPENERS", {name: made.opener(name) for name in names})
    monkeypatch.setattr(choose, "installed_engines", lambda: names)
    monkeypatch.setattr("fullconv.engines.installed_engines", lambda: names)
    monkeypatch.setattr(choose._Search, "_time", made.time)
    monkeypatch.setattr(large_images, "measure_costs", made.time_windows)
    stages = dict.fromkeys(names, run_onnx_stage)  # OpenVINO may not be installed
    monkeypatch.setattr(choose, "_STAGE_OPENERS", stages)
    choose._opened.clear()
    return made
