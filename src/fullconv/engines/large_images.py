"""What an engine needs for images that it has no memory for at once; prepared for the first one."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from fullconv.engines.cache import WindowCosts, read_costs, write_costs
from fullconv.engines.staged import open_staged
from fullconv.engines.window_costs import measure_costs
from fullconv.errors import EngineError, ExportError, FullconvError
from fullconv.inference.planner.windows import StagedNetwork
from fullconv.inference.runtimes import Run, RunStage
from fullconv.networks.fcn import FCN


@dataclass(eq=False)
class LargeImages:
    """A network in stages, and what its windows cost.

    Attributes:
        network: in evaluation mode.
        run: computes whole images in the engine.
        open_stage: opens the graph of a stage in the engine.
        folder: of the network in the cache.
        record: names of the machine and the engine, for what is measured.
    """

    network: FCN
    run: Run
    open_stage: Callable[[bytes], RunStage]
    folder: Path
    record: tuple[str, str]
    _lock: Lock = field(default_factory=Lock, repr=False)
    _prepared: "tuple[StagedNetwork | None, WindowCosts] | None" = field(default=None, repr=False)

    def prepare(self) -> tuple[StagedNetwork | None, WindowCosts]:
        """Return the network in stages, if it can be computed so, and what windows cost.

        The first time it is converted and compared, which takes about a second. What windows cost
        is measured once for a network and a machine.
        """
        with self._lock:
            if self._prepared is None:
                self._prepared = self._prepare()
            return self._prepared

    def _prepare(self) -> tuple[StagedNetwork | None, WindowCosts]:
        staged = None
        with suppress(ExportError, EngineError):
            staged = open_staged(self.network, self.open_stage)
        costs = read_costs(self.folder, *self.record)
        if costs is None or len(costs.stages) != (len(staged.stages) if staged else 0):
            costs = measure_costs(self.network, self.run, staged)
            with suppress(OSError, FullconvError):  # a cache that cannot be written
                write_costs(self.folder, *self.record, costs)
        return staged, costs
