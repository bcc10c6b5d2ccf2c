"""Choose the engine that computes a network fastest on this machine, and prove it equal first."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from fullconv.config import RGB
from fullconv.conversion.onnx_graph import save_onnx
from fullconv.conversion.stage_graphs import staged_graphs
from fullconv.engines import AUTO, TITLES, EngineChoice, check_engine, installed_engines
from fullconv.engines.cache import (
    Measured,
    cache_lock,
    cached_graph,
    engine_cache,
    machine_key,
    network_key,
    read_measured,
    write_graph,
    write_measured,
)
from fullconv.engines.fastest import fastest_engine
from fullconv.engines.large_images import LargeImages
from fullconv.engines.proof import compare, sample_image
from fullconv.engines.running import RunningEngine
from fullconv.engines.workload import (
    TINY,
    Workload,
    conversion_seconds,
    memory_for_images,
    time_call,
)
from fullconv.errors import ConfigError, ExportError, FullconvError, OutputError
from fullconv.hardware import OtherPrograms
from fullconv.inference.cpu.network_state import count_changes
from fullconv.inference.cpu.optimize import optimize
from fullconv.inference.heap import keep_heap
from fullconv.inference.planner.memory_cost import runtime_pixel_bytes
from fullconv.inference.planner.windows import (
    FIXED,
    LEAST_SIDE,
    StagedNetwork,
    divide,
    divide_stages,
)
from fullconv.inference.runtimes import Run, RunStage, explained_crash
from fullconv.inference.runtimes.onnx import run_onnx, run_onnx_stage
from fullconv.inference.runtimes.openvino import run_openvino, run_openvino_stage
from fullconv.io.atomic import scratch
from fullconv.networks.fcn import FCN
from fullconv.units import format_bytes

ROUNDS = 3, 9  # at least and at most
TIMED = 2.0  # seconds after which no further round is timed

_OPENERS: dict[str, Callable[[Path], Run]] = {"onnx": run_onnx, "openvino": run_openvino}
_STAGE_OPENERS: dict[str, Callable[[bytes], RunStage]] = {
    "onnx": run_onnx_stage,
    "openvino": run_openvino_stage,
}
_opened: "WeakValueDictionary[tuple[Any, ...], Run]" = WeakValueDictionary()


def choose_engine(
    network: nn.Module,
    wanted: str = AUTO,
    workload: Workload | None = None,
    *,
    threads: int | None = None,
    memory: int | None = None,
    most_pixels: int | None = None,
    measure: bool = True,
    announce: Callable[[str], None] = lambda text: None,
) -> EngineChoice:
    """Choose the engine of a network, and let it compute the network's scores from now on.

    Few images never pay more for the conversion than they gain: it is done only where it is
    expected to cost a third of what it saves, and once for a network and a machine.

    Args:
        network: in evaluation mode.
        wanted: "auto", or the name of the engine to use whatever its speed.
        workload: what there is to compute; None is any number of images.
        threads: CPU threads of one image; None is PyTorch's setting.
        memory: bytes for all images that are computed at once; None is a quarter of the machine's.
        most_pixels: of the largest image that it computes, if that is settled.
        measure: whether "auto" converts and times engines that it does not know yet; otherwise it
            stays with PyTorch then.
        announce: gets a line before something that takes seconds.

    Raises:
        ConfigError: the wanted engine cannot compute this network.
        UnknownNameError: there is no such engine.
        MissingExtraError: the wanted engine is not installed.
        ExportError: the wanted engine's scores are not those of PyTorch.
        EngineError: the wanted engine cannot run the network.
    """
    wanted, workload = check_engine(wanted), workload or Workload()
    if isinstance(network, FCN):
        network.engine = None
    names = installed_engines() if wanted == AUTO else (wanted,)
    if wanted == "torch" or not names:
        return EngineChoice()
    if refusal := _refusal(network):
        if wanted != AUTO:
            raise ConfigError(f"the engine {wanted} cannot compute it: {refusal}; use torch")
        return EngineChoice()
    assert isinstance(network, FCN)
    network.eval()
    count_changes(network)
    search = _Search(network, names, workload, memory, most_pixels, measure, announce)
    with _threads(threads):
        try:
            root = engine_cache()
            return search.forced(root) if wanted != AUTO else search.fastest(root)
        except OSError as error:
            if wanted == AUTO:
                return EngineChoice(reason=f"PyTorch; no other engine is tried: {_explain(error)}")
            with scratch() as folder:
                return search.forced(folder)
        except FullconvError as error:
            if wanted != AUTO:
                raise
            return EngineChoice(reason=f"PyTorch; no other engine can be used: {error}")


@dataclass(frozen=True)
class _Search:
    """The search for a network's engine; the fields are the arguments of `choose_engine`."""

    network: FCN
    names: Sequence[str]
    workload: Workload
    memory: int | None
    most_pixels: int | None
    measure: bool
    announce: Callable[[str], None]

    def forced(self, root: Path) -> EngineChoice:
        """Use the first of the names, whatever its speed, if there is memory for any image."""
        if self._limit() < LEAST_SIDE**2:
            memory, count = format_bytes(self._memory), self.workload.at_once
            return EngineChoice(
                reason=f"PyTorch; {memory} for {count} at once is too little for any other engine"
            )
        name, key = self.names[0], network_key(self.network)
        run = self._open(name, key, lambda: self._graph(root, key, patient=True))
        compare(self.network, run)
        return self._use(name, run, "", root / key)

    def fastest(self, root: Path) -> EngineChoice:
        """Use the fastest engine, if it is known or finding out pays."""
        if self.workload.pixels < TINY:  # reading all weights for their fingerprint takes longer
            return EngineChoice()
        (height, width), most = self.workload.size, self._limit()
        is_large = self.workload.images is not None and height * width > most
        if is_large and not self._divides((height, width), most):
            return EngineChoice()  # PyTorch computes photos of this size, in parts
        others = OtherPrograms()
        key = network_key(self.network)
        folder, machine = root / key, machine_key(torch.get_num_threads())
        measured, runs = self._known(folder, machine), dict[str, Run]()
        if measured is None and not self.measure:
            return EngineChoice(settled=False)
        if measured is None:
            converted = cached_graph(folder) is not None
            if not self.workload.conversion_pays(self.network, converted):
                return EngineChoice()
            measured, runs = self._measure(root, key, machine)
        name, reason = fastest_engine(measured, others.slow_this_down)
        if name == "torch":
            return EngineChoice(reason=reason)
        if runs:
            self.network.optimized_backbone = None  # its weights would only take memory
        if (run := runs.get(name)) is None:
            seconds, opening = measured.seconds, measured.opening[name]
            timed = seconds["torch"], seconds[name], measured.size
            if not self.workload.opening_pays(*timed, opening):
                return EngineChoice()
            run = self._open(name, key, lambda: self._graph(root, key))
            compare(self.network, run)
        return self._use(name, run, reason, folder)

    def _divides(self, size: tuple[int, int], most_pixels: int) -> bool:
        """Return whether an engine would compute images of `size` in windows."""
        pixel_bytes = runtime_pixel_bytes(self.network)
        memory = int(most_pixels * pixel_bytes) + FIXED
        if divide(self.network, size, memory, pixel_bytes):
            return True
        try:
            made = staged_graphs(self.network)
            staged = StagedNetwork(made.network, made.stages, lambda *_: ())
            return divide_stages(staged, size, memory) is not None
        except ExportError:
            return False

    def _known(self, folder: Path, machine: str) -> Measured | None:
        """Return what was measured here of all engines; None if some was not."""
        measured = read_measured(folder, machine)
        if measured is None or "torch" not in measured.seconds:
            return None
        known = {*measured.seconds, *measured.refused}
        return measured if known.issuperset(self.names) else None

    def _graph(self, root: Path, key: str, patient: bool = False) -> Path:
        """Return the converted network, from the cache or converted now; see `save_onnx`."""
        folder = root / key
        if found := cached_graph(folder):
            return found[0]
        with cache_lock(root):
            if found := cached_graph(folder):  # converted by another process meanwhile
                return found[0]
            seconds = conversion_seconds(self.network)
            self.announce(f"preparing other engines for this network, once; about {seconds:.0f} s")
            architecture = self.network.architecture
            assert architecture

            def write(path: Path) -> float:
                return time_call(lambda: save_onnx(self.network, path, patient=patient))

            return write_graph(folder, architecture.name, write)

    def _measure(self, root: Path, key: str, machine: str) -> tuple[Measured, dict[str, Run]]:
        """Compare and time all engines, store the result, and return it with the engines."""
        graph = self._graph(root, key)
        runs: dict[str, Run] = {}
        opening: dict[str, float] = {}
        difference: dict[str, float] = {}
        refused: dict[str, str] = {}
        for name in self.names:
            try:
                start = time.perf_counter()
                runs[name] = self._open(name, key, lambda: graph)
                opening[name] = time.perf_counter() - start
                difference[name] = compare(self.network, runs[name])
            except FullconvError as error:
                runs.pop(name, None)
                refused[name] = str(error)
        size = self.workload.timed_size
        measured = Measured(
            size=size,
            seconds=self._time(runs, size),
            opening=opening,
            difference=difference,
            refused=refused,
        )
        with suppress(OSError):  # a cache that cannot be written can still be read
            write_measured(root / key, machine, measured)
        return measured, runs

    def _time(self, runs: Mapping[str, Run], size: tuple[int, int]) -> dict[str, float]:
        """Return the least seconds of each engine for one image, PyTorch's included."""
        optimize(self.network)
        image = sample_image(size)
        array = image.numpy()

        @torch.inference_mode()
        def compute() -> None:
            self.network(image)

        calls: dict[str, Callable[[], object]] = {"torch": compute}
        calls |= {name: partial(run, array) for name, run in runs.items()}
        for call in calls.values():
            call()
        took: dict[str, list[float]] = {name: [] for name in calls}
        for number in range(ROUNDS[1]):
            for name, call in calls.items():
                took[name].append(time_call(call))
            if number + 1 >= ROUNDS[0] and sum(map(sum, took.values())) > TIMED:
                break
        # The least, which other programs disturb least: the result is kept for long.
        return {name: min(seconds) for name, seconds in took.items()}

    def _open(self, name: str, key: str, graph: Callable[[], Path]) -> Run:
        """Return an engine that is ready; one that this process has opened already is used again.

        Raises:
            EngineError: it cannot run the graph.
        """
        identity = _identity(key, name)
        if (run := _opened.get(identity)) is None:
            path = graph()
            with explained_crash(f"{TITLES[name]} cannot run it"):
                run = partial(_run, TITLES[name], _OPENERS[name](path))
            _opened[identity] = run
        return run

    def _use(self, name: str, run: Run, reason: str, folder: Path) -> EngineChoice:
        most = self._limit()
        pixel_bytes = runtime_pixel_bytes(self.network)
        record = machine_key(torch.get_num_threads()), name
        large = LargeImages(self.network, run, _STAGE_OPENERS[name], folder, record)
        keep_heap()  # the arrays around it, which every image needs again
        self.network.engine = RunningEngine(name, self.network, run, pixel_bytes, most, large)
        return EngineChoice(name, reason or TITLES[name], most)

    @property
    def _memory(self) -> int:
        """The bytes for all images that are computed at once."""
        return memory_for_images(self.memory)

    def _limit(self) -> int:
        """Return the pixels of the largest image that an engine computes."""
        share = self._memory // self.workload.at_once - FIXED
        return self.most_pixels or max(0, int(share / runtime_pixel_bytes(self.network)))


def _run(title: str, run: Run, image: Float[np.ndarray, "1 3 H W"]) -> np.ndarray:
    """Return the scores of an image.

    Raises:
        EngineError: the engine cannot compute it.
    """
    height, width = image.shape[2:]
    with explained_crash(f"{title} cannot compute an image of {height} x {width} pixels"):
        return run(image)


def _identity(key: str, name: str) -> tuple[Any, ...]:
    return key, name, torch.get_num_threads()


def _refusal(network: nn.Module) -> str:
    """Return why only PyTorch can compute a network; "" if other engines may."""
    if not isinstance(network, FCN):
        return "it was opened from an exported file"
    if network.architecture is None:
        return "the network was not created by name"
    if network.channels != RGB:
        return f"it takes {network.channels} channels"
    weights = {(weight.dtype, weight.device.type) for weight in network.parameters()}
    if weights != {(torch.float32, "cpu")}:
        return "its weights are not float32 on the CPU"
    return ""


def _explain(error: OSError) -> str:
    if isinstance(error, OutputError):
        return str(error)
    return f"the cache cannot be written ({error.strerror or error})"


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """Let PyTorch compute with `count` threads inside the block."""
    before = torch.get_num_threads()
    try:
        if count is not None and count != before:
            torch.set_num_threads(count)
        yield
    finally:
        if torch.get_num_threads() != before:
            torch.set_num_threads(before)
