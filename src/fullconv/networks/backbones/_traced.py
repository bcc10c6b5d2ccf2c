"""Another library's classifier as a backbone: its own layers, up to where it stops seeing places.

The way of an image through the classifier is followed once (`networks.tracing`), which gives the
layers in the order they run in, what each one's pixels see, and where the classifier's head begins:
the head is left away. State-dict keys are the library's own.
"""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from math import ceil
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from fullconv.errors import GeometryError
from fullconv.networks.geometry import CoordMap, Field
from fullconv.networks.layers import FeatureInfo
from fullconv.networks.tracing.trace import ModuleCall, Trace, trace

SIDE = 256  # pixels; the image that is followed, a multiple of every network's stride
MOST = 1024  # pixels; no classifier needs more to run at all


class TracedBackbone(nn.Module):
    """The layers of a classifier that have a place for each of their values.

    The image is enlarged by zeros to the right and below, to a multiple of the coarsest stride: at
    such sizes TensorFlow's "same" padding is the same everywhere, and the last pixels get a score.

    Args:
        classifier: (B, 3, H, W) -> scores; its layers are used, not copied.
        name: what it is called in messages.
        padding: zeros around the normalized image; 0 is what the classifier was made for.

    Raises:
        GeometryError: there is attention between all places, or layers do not follow one another.
    """

    def __init__(self, classifier: nn.Module, name: str, padding: int = 0) -> None:
        super().__init__()
        try:
            followed = trace(classifier, SIDE, SIDE)
        except GeometryError as error:
            raise GeometryError(f"{name} cannot be a backbone: {error}") from error
        if followed.attention:
            where = next(iter(followed.attention))
            raise GeometryError(
                f"{name} cannot be a backbone: {where or 'it'} multiplies places with places "
                "(attention), so its features have no receptive field; take a convolutional network"
            )
        self.steps: dict[str, str] = {}  # feature -> path of the layer
        self._taps: dict[str, FeatureInfo] = {}
        ends: dict[str, int] = {}
        for visit in spine(followed, name):
            found = _checked(followed, visit, name)
            feature = visit.name.replace(".", "_")
            self.steps[feature] = visit.name
            self._taps[feature] = FeatureInfo(visit.result.shape[1], found)
            ends[feature] = visit.result.shape[-1]
            _place(self, _own_path(visit.name), classifier.get_submodule(visit.name))
        self.folders = {path.partition(".")[0] for path in self.steps.values()}
        self.register_state_dict_post_hook(_their_keys)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_pre_hook(_our_keys)  # type: ignore[no-untyped-call]
        self.stride = int(self._taps[self.top].field.stride)
        self._surround(padding, ends)
        self.least = self.stride
        self._enlarge_least()
        self.train(classifier.training)

    def _surround(self, padding: int, ends: dict[str, int]) -> None:
        """Choose the zeros before the image and, at least, behind it.

        Args:
            padding: zeros that were asked for.
            ends: how many pixels each feature had on the image that was followed.
        """
        fields = [tap.field for tap in self._taps.values()]
        # The first pixel of each feature has to lie in the first `stride` pixels.
        late = max([Fraction(0), *(field.map.shift - (field.stride - 1) for field in fields)])
        self.before = max(padding, self.stride * ceil(late / self.stride))
        lack = max(_lack(self._taps[feature].field, ends[feature]) for feature in ends)
        self.behind = max(padding, lack)
        # What one feature has beyond the image, a coarser one may not reach.
        self.surplus = {
            feature: ends[feature] - _needed(self._taps[feature].field, SIDE - lack)
            for feature in ends
        }
        moved = CoordMap(shift=Fraction(-self.before))
        for feature, tap in self._taps.items():
            field = Field(tap.field.size, moved @ tap.field.map, tap.field.bounded)
            self._taps[feature] = FeatureInfo(tap.width, field)

    def _enlarge_least(self) -> None:
        """Find the side of the smallest image, a multiple of the stride, that the layers run on."""
        layers = nn.Sequential(*(self._layer(feature) for feature in self.steps))
        while self.least < MOST:
            try:
                trace(layers, self.least, self.least)
                return
            except GeometryError:
                self.least += self.stride

    @property
    def top(self) -> str:
        """The last feature."""
        return next(reversed(self.steps))

    def taps(self) -> dict[str, FeatureInfo]:
        """Width and receptive field of every layer's output, in their order."""
        return dict(self._taps)

    def skip(self, stride: int) -> str | None:
        """The last, and so the richest, feature at `stride`, or None."""
        alike = [name for name, tap in self._taps.items() if tap.field.stride == stride]
        return alike[-1] if alike else None

    def forward(self, x: Tensor) -> Tensor:
        """The last feature of an image."""
        return self.features(x, [self.top])[self.top]

    def features(self, x: Tensor, names: Iterable[str]) -> dict[str, Tensor]:
        """The outputs of the layers called `names`; nothing behind the last of them is computed."""
        wanted = set(names)
        found: dict[str, Tensor] = {}
        x = self.enlarge(x)
        for feature in self.steps:
            if len(found) == len(wanted):
                break
            x = self._layer(feature)(x)
            if feature in wanted:
                surplus = self.surplus[feature]
                found[feature] = x[..., :-surplus, :-surplus] if surplus else x
        return found

    def enlarge(self, x: Tensor) -> Tensor:
        """The image with zeros around it, of a size that the layers were followed at."""
        height, width = x.shape[-2:]
        return F.pad(x, (self.before, self._after(width), self.before, self._after(height)))

    def _layer(self, feature: str) -> nn.Module:
        return self.get_submodule(_own_path(self.steps[feature]))

    def _after(self, side: Any) -> Any:  # an int, symbolic in an export
        whole = self.before + side + self.behind
        if self.least > self.stride:  # asked first: an export would pin the size to one branch
            whole = max(whole, self.least)
        return whole + -whole % self.stride - self.before - side


def spine(followed: Trace, name: str) -> Iterator[ModuleCall]:
    """The calls that an image goes through one after the other, up to the classifier's head.

    Raises:
        GeometryError: something happens to the features between two of them.
    """
    rest = iter(followed.top.inside)
    last: ModuleCall | None = None
    for visit in rest:
        if not _placed(followed, visit):
            break
        if visit.given is not (followed.image if last is None else last.result):
            break
        yield from _parts(followed, visit)
        last = visit
    else:
        return
    late = next((one for one in (visit, *rest) if _placed(followed, one)), None)
    if late is not None or last is None:
        raise GeometryError(
            f"{name} cannot be a backbone: between {last.name if last else 'the image'} and "
            f"{(late or visit).name} its forward does more than to call one layer after the other"
        )


def _parts(followed: Trace, visit: ModuleCall) -> Iterator[ModuleCall]:
    """A layer that shrinks the map by more than a half, as the layers it consists of."""
    before, after = visit.given.shape[-1], visit.result.shape[-1]
    chained = [visit.given, *(one.result for one in visit.inside)]
    starts = [one.given for one in visit.inside]
    whole = all(a is b for a, b in zip(starts, chained, strict=False)) and (
        chained[-1] is visit.result
    )
    if before <= 2.5 * after or not visit.inside or not whole:  # 2.5: borders without padding
        yield visit
        return
    for one in visit.inside:
        yield from _parts(followed, one)


def _placed(followed: Trace, visit: ModuleCall) -> bool:
    sight = followed.sight(visit.result)
    return sight is not None and sight.rows is not None and visit.result.dim() == 4


def _checked(followed: Trace, visit: ModuleCall, name: str) -> Field:
    """The field of a layer's output, and a look whether its size can be that of such a map.

    Raises:
        GeometryError: it has none, or the map is of another size than the field says.
    """
    sight = followed.sight(visit.result)
    assert sight is not None
    try:
        found = sight.field()
    except GeometryError as error:
        raise GeometryError(f"{name} cannot be a backbone: at {visit.name}, {error}") from error
    height, width = visit.result.shape[-2:]
    # Without padding a map is smaller than the image's share by at most its field.
    if height != width or abs(SIDE - width * found.stride) > found.size:
        raise GeometryError(
            f"{name} cannot be a backbone: {visit.name} has {height} x {width} pixels {found.map} "
            f"on an image of {SIDE} x {SIDE}, so its forward moves pixels in a way not known here"
        )
    return found


def _lack(field: Field, pixels: int) -> int:
    """Image pixels at the end that are further than a stride from the feature's last pixel."""
    return max(0, ceil(SIDE - field.stride - field.map(pixels - 1)))


def _needed(field: Field, end: int) -> int:
    """How many of the feature's pixels it takes to come within a stride of `end`."""
    return max(1, ceil((end - field.stride - field.map.shift) / field.stride) + 1)


def _place(root: nn.Module, path: str, layer: nn.Module) -> None:
    """Hang a layer in under its path."""
    *folders, last = path.split(".")
    for folder in folders:
        if folder not in root._modules:
            root.add_module(folder, nn.Module())
        root = root.get_submodule(folder)
    root.add_module(last, layer)


def _own_path(path: str) -> str:
    """Where a layer hangs: a folder called like one of our methods ("features") gets a stroke."""
    folder, dot, rest = path.partition(".")
    return f"{folder}_{dot}{rest}" if hasattr(TracedBackbone, folder) else path


def _their_keys(module: nn.Module, state: dict[str, Any], prefix: str, metadata: Any) -> None:
    """A state dict of ours gets the library's keys."""
    _rename(state, prefix, {_own_path(folder): folder for folder in module.folders})  # type: ignore[union-attr]


def _our_keys(module: nn.Module, state: dict[str, Any], prefix: str, *rest: Any) -> None:
    """A state dict with the library's keys gets ours."""
    _rename(state, prefix, {folder: _own_path(folder) for folder in module.folders})  # type: ignore[union-attr]


def _rename(state: dict[str, Any], prefix: str, folders: dict[str, str]) -> None:
    for key in list(state):  # all of them, or their order would change
        folder, dot, rest = key.removeprefix(prefix).partition(".")
        value = state.pop(key)
        mine = key.startswith(prefix)
        state[f"{prefix}{folders.get(folder, folder)}{dot}{rest}" if mine else key] = value
