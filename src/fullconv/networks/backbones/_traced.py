"""A torchvision or timm classifier as a backbone, traced once.

Tracing an image through the classifier gives its layers in the order in which they run, the
receptive field of each one's output, and where the classifier's head begins; the head is dropped.
State-dict keys are the library's own.
"""

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from math import ceil
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from fullconv.config import Top
from fullconv.errors import GeometryError
from fullconv.networks.geometry import CoordMap, Field
from fullconv.networks.layers import FeatureInfo
from fullconv.networks.tracing.trace import ModuleCall, Trace, trace

TRACED_SIDE = 256  # pixels; a multiple of every network's stride
MAX_SIDE = 1024  # pixels; no classifier needs a larger image to run at all


class TracedBackbone(nn.Module):
    """The layers of a classifier whose outputs are feature maps.

    The image is padded with zeros to the right and below, to a multiple of the coarsest stride: at
    such sizes TensorFlow's "same" padding is the same everywhere, and the last pixels get a score.

    Args:
        classifier: (B, 3, H, W) -> scores; its layers are used, not copied.
        name: for messages.
        padding: zeros around the normalized image; 0 is what the classifier was made for.
        top: "block" drops the last layers if they only widen the features before them, pixel by
            pixel, for the classifier's pooling (conv_head in timm's MobileNets and EfficientNets);
            "head" keeps them.

    Attributes:
        dropped: the library's names of the layers that are dropped.

    Raises:
        GeometryError: the classifier attends between all positions, or its layers do not follow
            one another.
    """

    def __init__(
        self, classifier: nn.Module, name: str, padding: int = 0, top: Top = "head"
    ) -> None:
        super().__init__()
        record = _trace(classifier, name)
        calls = [(call, _checked_field(record, call, name)) for call in trunk(record, name)]
        kept = _blocks(calls) if top == "block" else calls
        self.dropped = tuple(call.name for call, _ in calls[len(kept) :])
        self.paths: dict[str, str] = {}  # feature -> path of the layer
        self._feature_info: dict[str, FeatureInfo] = {}
        sides: dict[str, int] = {}  # feature -> its rows on the traced image
        for call, field in kept:
            feature = call.name.replace(".", "_")
            self.paths[feature] = call.name
            self._feature_info[feature] = FeatureInfo(call.output.shape[1], field)
            sides[feature] = call.output.shape[-1]
            _add_layer(self, _own_path(call.name), classifier.get_submodule(call.name))
        self.folders = {path.partition(".")[0] for path in self.paths.values()}
        self.register_state_dict_post_hook(_to_library_keys)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_pre_hook(_to_own_keys)  # type: ignore[no-untyped-call]
        self.stride = int(self._feature_info[self.top].field.stride)
        self._choose_padding(padding, sides)
        self.smallest = self._smallest_side()
        self.train(classifier.training)

    @property
    def top(self) -> str:
        """Name of the last feature."""
        return next(reversed(self.paths))

    def feature_info(self) -> dict[str, FeatureInfo]:
        """Return the width and receptive field of every layer's output, in order."""
        return dict(self._feature_info)

    def skip(self, stride: int) -> str | None:
        """Return the last feature at `stride`, which is the most abstract one, or None."""
        names = [name for name, info in self._feature_info.items() if info.field.stride == stride]
        return names[-1] if names else None

    def forward(self, x: Tensor) -> Tensor:
        """Return the last feature of an image."""
        return self.features(x, [self.top])[self.top]

    def features(self, x: Tensor, names: Iterable[str]) -> dict[str, Tensor]:
        """Return the outputs of the layers `names`; nothing after the last of them is computed."""
        wanted = set(names)
        outputs: dict[str, Tensor] = {}
        x = self.pad(x)
        for feature in self.paths:
            if len(outputs) == len(wanted):
                break
            x = self._layer(feature)(x)
            if feature in wanted:
                surplus = self.surplus[feature]
                outputs[feature] = x[..., :-surplus, :-surplus] if surplus else x
        return outputs

    def pad(self, x: Tensor) -> Tensor:
        """Pad the image with zeros to a size at which the traced receptive fields hold."""
        height, width = x.shape[-2:]
        return F.pad(x, (self.before, self._after(width), self.before, self._after(height)))

    def _choose_padding(self, padding: int, sides: dict[str, int]) -> None:
        """Set the zeros before the image and the least after it.

        Args:
            padding: zeros that were asked for.
            sides: rows of each feature on the traced image.
        """
        info = self._feature_info
        fields = [feature.field for feature in info.values()]
        # The first pixel of each feature has to be within the first `stride` pixels.
        late = max([Fraction(0), *(field.map.shift - (field.stride - 1) for field in fields)])
        self.before = max(padding, self.stride * ceil(late / self.stride))
        missing = max(_missing_pixels(info[feature].field, sides[feature]) for feature in sides)
        self.after = max(padding, missing)
        # A finer feature may extend past the image further than a coarser one reaches.
        self.surplus = {
            feature: sides[feature] - _pixels_to(info[feature].field, TRACED_SIDE - missing)
            for feature in sides
        }
        moved = CoordMap(shift=Fraction(-self.before))
        for feature, found in info.items():
            field = Field(found.field.size, moved @ found.field.map, found.field.bounded)
            self._feature_info[feature] = FeatureInfo(found.width, field)

    def _smallest_side(self) -> int:
        """Return the smallest image side, a multiple of the stride, on which the layers run."""
        layers = nn.Sequential(*(self._layer(feature) for feature in self.paths))
        side = self.stride
        while side < MAX_SIDE:
            try:
                trace(layers, side, side)
                break
            except GeometryError:
                side += self.stride
        return side

    def _layer(self, feature: str) -> nn.Module:
        return self.get_submodule(_own_path(self.paths[feature]))

    def _after(self, side: Any) -> Any:  # an int, or a symbol during an export
        padded = self.before + side + self.after
        if self.smallest > self.stride:  # checked first: max() would fix an export to one branch
            padded = max(padded, self.smallest)
        return padded + -padded % self.stride - self.before - side


def _blocks(calls: Sequence[tuple[ModuleCall, Field]]) -> Sequence[tuple[ModuleCall, Field]]:
    """Return the layers without the last ones, if these only widen the features at each pixel."""
    end = len(calls)
    while end > 1 and calls[end - 2][1] == calls[-1][1]:
        end -= 1
    widths = [call.output.shape[1] for call, _ in calls[end - 1 :]]
    return calls[:end] if widths[-1] > widths[0] else calls


def trunk(record: Trace, name: str) -> Iterator[ModuleCall]:
    """Yield the calls that an image passes one after another, up to the classifier's head.

    Raises:
        GeometryError: the forward changes the features between two of them.
    """
    rest = iter(record.root.calls)
    last: ModuleCall | None = None
    for call in rest:
        if not record.has_positions(call.output):
            break
        if call.input is not (record.image if last is None else last.output):
            break
        yield from _parts(call)
        last = call
    else:
        return
    later = next((other for other in (call, *rest) if record.has_positions(other.output)), None)
    if later is not None or last is None:
        raise GeometryError(
            f"{name} cannot be a backbone: between {last.name if last else 'the image'} and "
            f"{(later or call).name} its forward does more than calling one layer after another"
        )


def _trace(classifier: nn.Module, name: str) -> Trace:
    try:
        record = trace(classifier, TRACED_SIDE, TRACED_SIDE)
    except GeometryError as error:
        raise GeometryError(f"{name} cannot be a backbone: {error}") from error
    if record.attention:
        module = next(iter(record.attention)) or "it"
        raise GeometryError(
            f"{name} cannot be a backbone: {module} multiplies positions with positions "
            "(attention), so its features have no receptive field; use a convolutional network"
        )
    return record


def _parts(call: ModuleCall) -> Iterator[ModuleCall]:
    """Yield a layer, or the layers in it if it reduces the map by more than a factor of two."""
    before, after = call.input.shape[-1], call.output.shape[-1]
    chain = [call.input, *(inner.output for inner in call.calls)]
    inputs = [inner.input for inner in call.calls]
    sequential = all(a is b for a, b in zip(inputs, chain, strict=False)) and (
        chain[-1] is call.output
    )
    if before <= 2.5 * after or not call.calls or not sequential:  # 2.5: unpadded borders
        yield call
        return
    for inner in call.calls:
        yield from _parts(inner)


def _checked_field(record: Trace, call: ModuleCall, name: str) -> Field:
    """Return the receptive field of a layer's output.

    Raises:
        GeometryError: it has none, or the map's size contradicts it.
    """
    extent = record.extent(call.output)
    assert extent is not None
    try:
        field = extent.field()
    except GeometryError as error:
        raise GeometryError(f"{name} cannot be a backbone: at {call.name}, {error}") from error
    height, width = call.output.shape[-2:]
    # Without padding a map is smaller than the image's share by at most its field.
    if height != width or abs(TRACED_SIDE - width * field.stride) > field.size:
        raise GeometryError(
            f"{name} cannot be a backbone: {call.name} has {height} x {width} pixels {field.map} "
            f"on an image of {TRACED_SIDE} x {TRACED_SIDE}, so its forward moves pixels in an "
            "unknown way"
        )
    return field


def _missing_pixels(field: Field, pixels: int) -> int:
    """Return how many image pixels at the end are over a stride past the feature's last pixel."""
    return max(0, ceil(TRACED_SIDE - field.stride - field.map(pixels - 1)))


def _pixels_to(field: Field, end: int) -> int:
    """Return how many pixels of the feature it takes to come within a stride of `end`."""
    return max(1, ceil((end - field.stride - field.map.shift) / field.stride) + 1)


def _add_layer(root: nn.Module, path: str, layer: nn.Module) -> None:
    *folders, last = path.split(".")
    for folder in folders:
        if folder not in root._modules:
            root.add_module(folder, nn.Module())
        root = root.get_submodule(folder)
    root.add_module(last, layer)


def _own_path(path: str) -> str:
    """Return the path of a layer: a folder named as one of our methods gets an underscore."""
    folder, dot, rest = path.partition(".")
    return f"{folder}_{dot}{rest}" if hasattr(TracedBackbone, folder) else path


def _to_library_keys(module: nn.Module, state: dict[str, Any], prefix: str, metadata: Any) -> None:
    _rename(state, prefix, {_own_path(folder): folder for folder in module.folders})  # type: ignore[union-attr]


def _to_own_keys(module: nn.Module, state: dict[str, Any], prefix: str, *rest: Any) -> None:
    _rename(state, prefix, {folder: _own_path(folder) for folder in module.folders})  # type: ignore[union-attr]


def _rename(state: dict[str, Any], prefix: str, folders: dict[str, str]) -> None:
    for key in list(state):  # all of them, or their order would change
        folder, dot, rest = key.removeprefix(prefix).partition(".")
        value = state.pop(key)
        is_ours = key.startswith(prefix)
        state[f"{prefix}{folders.get(folder, folder)}{dot}{rest}" if is_ours else key] = value
