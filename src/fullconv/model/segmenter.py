"""The model: a network with its classes, colours and normalization, which predicts images."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypedDict, Unpack, overload

import numpy as np

from fullconv.engines import AUTO, check_engine_of_file
from fullconv.inference.prediction import Prediction
from fullconv.inference.predictor import plan_prediction, predict
from fullconv.inference.source import read_source
from fullconv.inference.stopping import Stop, never
from fullconv.inference.tta_scales import check_scales
from fullconv.io.images import fit_size, scale_image
from fullconv.model.described_network import DescribedNetwork
from fullconv.model.heads import count_scores

if TYPE_CHECKING:
    # Exported files are predicted without PyTorch, so what needs it is imported where it is used.
    from fullconv.engines.workload import Workload


class PredictOptions(TypedDict, total=False):
    """The options of `Model.predict`."""

    tta: bool
    scales: Sequence[float] | None
    memory: int | str | None
    scores: bool
    stop: Stop


class Model(DescribedNetwork):
    """A network with everything its predictions depend on: saved, loaded and predicted with.

    Args:
        network: from `create_model`, or an opened exported file.
        classes: class names, one for each score of the network.
        palette: one RGB colour per class; None for VOC's.
        size: larger images are downscaled to fit this (height, width), and the scores upsampled
            back; None to predict at full size.
        tta_scales: scales of test-time augmentation (`predict(..., tta=True)`).
        band_choice: the bands and value range of rasters; None to read them as other images.
        input_scale: factor that images are scaled by, after `size`; the scores are scaled back.
        inputs: channels after red, green and blue, which are read from folders beside a photo's.
        heads: ranges of the scores; `classes` and `palette` are the first's. () for one head.

    Raises:
        ConfigError: the number of names or colours is not that of the scores, a name is not valid
            text or occurs twice, a colour is not three numbers in [0, 255], a size is not positive,
            a scale of `tta_scales` is outside [0.1, 10] or `input_scale` outside [0.05, 20], the
            channels of the inputs are not those of the network, or `network` has another type.
    """

    @overload
    def predict(
        self, source: list[Any] | tuple[Any, ...], **options: Unpack[PredictOptions]
    ) -> list[Prediction]: ...

    @overload
    def predict(self, source: Any, **options: Unpack[PredictOptions]) -> Prediction: ...

    def predict(
        self,
        source: Any,
        *,
        tta: bool = False,
        scales: Sequence[float] | None = None,
        memory: int | str | None = None,
        scores: bool = False,
        stop: Stop = never,
    ) -> Prediction | list[Prediction]:
        """Segment an image, or each image of a list.

        With several heads, the prediction is that of the first; `Prediction.heads` has all, from
        the same pass of the network.

        Any number of threads may predict with one model, or with models that share a network, and
        call `optimize` meanwhile. The network is put into evaluation mode; it must not be trained,
        moved or changed while it predicts.

        Args:
            source: a path, a file open in binary mode, the bytes of a file, an array (H, W, 3) of
                uint8 in RGB or (H, W) in grey, an 8-bit PIL image, or a list of these. With a
                `band_choice`, TIFF, PNG and JPEG files are read as rasters. A network of more
                channels takes arrays (H, W, channels) of uint8, and paths if there are `inputs`.
            tta: test-time augmentation: average the probabilities at `tta_scales`, each with and
                without horizontal flip. Slower, usually more accurate.
            scales: scales for test-time augmentation instead of `tta_scales`; implies `tta`. 1 is
                the size of a prediction without it.
            memory: limit in bytes or as "2GiB" for the computation, its results and the decoding
                of a file, besides the network itself; None for half of the free memory. Larger
                images are processed in parts, with the same result.
            scores: keep the scores even if the image is processed in parts.
            stop: asked before each image, and before each part of one that is processed in parts.

        Raises:
            ImageError: `source` is not an image.
            ConfigError: scales outside [0.1, 10].
            MemoryBudgetError: `memory` is too small.
            WeightsError: the network's scores are not numbers (NaN).
            StoppedError: `stop` returned True.
        """
        if scales is not None:
            scales = check_scales(scales)
        elif tta:
            scales = self.tta_scales
        if isinstance(source, list | tuple):
            return [self._predict(image, scales, memory, scores, stop) for image in source]
        return self._predict(source, scales, memory, scores, stop)

    def _predict(
        self,
        source: Any,
        scales: Sequence[float] | None,
        memory: int | str | None,
        scores: bool,
        stop: Stop,
    ) -> Prediction:
        if self._network:
            from fullconv.inference.cpu.network_state import is_evaluating

            if not is_evaluating(self._network):
                self._network.eval()
        read = read_source(source, self.band_choice, memory, self.channels, self.inputs)
        given = self._scorer, read.image, self.classes, self.palette, self.size
        limits: Any = {"memory": memory, "held": read.bytes, "stop": stop}
        limits["input_scale"] = self.input_scale
        limits["heads"] = self.heads
        if scales is None:
            found = predict(*given, scores=scores, **limits)
        else:
            from fullconv.inference.tta import predict_averaged

            found = predict_averaged(*given, scales, **limits)
        return found if read.missing is None else found.without(read.missing)

    def network_input(self, image: np.ndarray) -> np.ndarray:
        """Return an image as the network gets it: fitted into `size`, scaled by `input_scale`.

        Args:
            image: (H, W, C) of uint8.
        """
        return scale_image(image, fit_size(image.shape, self.size, self.input_scale))

    def plan_memory(
        self,
        size: tuple[int, int],
        *,
        memory: int | str | None = None,
        scales: Sequence[float] | None = None,
        scores: bool = False,
        held: int = 0,
    ) -> int:
        """Return the bytes that predicting an image of `size` (height, width) takes.

        `memory`, `scales` and `scores` are those of `predict`; `held` bytes of `memory`, such as
        the image's, are held by the caller and included.

        Raises:
            MemoryBudgetError: `memory` is too small.
        """
        given = self._scorer, size, self.size, self.input_scale
        if scales is None:
            limits: Any = {"scores": scores, "held": held, "bands": self.channels}
            return plan_prediction(*given, memory, heads=self.heads, **limits).peak
        from fullconv.inference.tta import averaging_bytes

        count = sum(count_scores(self.classes, self.heads).values())
        return averaging_bytes(*given, scales, count, memory, held, self.channels)

    def optimize(
        self,
        engine: str = AUTO,
        workload: "Workload | None" = None,
        *,
        threads: int | None = None,
        memory: int | None = None,
        measure: bool = True,
        announce: Callable[[str], None] = lambda text: None,
    ) -> "Model":
        """Prepare the network for many predictions on this CPU and return the model itself.

        The fastest engine on this machine computes them from then on: PyTorch, ONNX Runtime or
        OpenVINO. The first time for a network, it is converted, compared and timed, which takes
        some five seconds; a cache keeps the result. See `fullconv.engines.choose` and
        `fullconv.inference.cpu.optimize`.

        Args:
            engine: "auto", or "torch", "onnx" or "openvino" for one whatever its speed.
            workload: the images to predict, which decide whether a conversion pays; None is any
                number.
            threads: CPU threads of one image; None is PyTorch's setting.
            memory: bytes for all images that are computed at once; None is a quarter of the
                machine's. PyTorch computes images that would take more.
            measure: whether "auto" measures a network that is new to this machine; otherwise it
                takes PyTorch then, and `choice.settled` is False.
            announce: gets a line before something that takes seconds.

        Raises:
            ConfigError: the engine cannot compute this network, or an exported file.
            UnknownNameError: there is no such engine.
            MissingExtraError: it is not installed.
            ExportError: its scores are not those of PyTorch.
            EngineError: it cannot run the network.
        """
        if self.exported:
            check_engine_of_file(engine, self.exported.path, self.exported.runtime_name)
            return self
        from fullconv.engines.choose import choose_engine
        from fullconv.inference.cpu.optimize import optimize

        self.choice = choose_engine(
            self.network,
            engine,
            workload,
            threads=threads,
            memory=memory,
            measure=measure,
            announce=announce,
        )
        if self.choice.name == "torch":
            optimize(self.network)
        return self

    @property
    def engine(self) -> str:
        """What computes the scores: "torch", "onnx", "openvino"; of exported files their suffix."""
        if self.exported:
            return self.exported.runtime_name
        return self.choice.name if self.network.engine is not None else "torch"

    def engine_takes(self, size: tuple[int, ...], scales: Sequence[float] | None = None) -> bool:
        """Return whether the engine computes images of `size` (height, width), with TTA or without.

        It computes them whole, or in windows if they are larger than it has memory for. Then the
        memory that a prediction takes follows from its size alone. False for PyTorch.
        """
        engine = None if self.exported else self.network.engine
        factors = scales or (1.0,)
        sizes = [fit_size(size[:2], self.size, self.input_scale * factor) for factor in factors]
        if engine is None or not engine.is_current():
            return False
        from fullconv.inference.planner import engine_windows

        network = self.network
        return all(engine.takes(one) or engine_windows(network, one) is not None for one in sizes)
