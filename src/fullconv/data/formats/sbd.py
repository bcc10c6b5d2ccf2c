"""SBD, the Semantic Boundaries Dataset (Hariharan et al., 2011): VOC's classes on 11355 photos.

Its masks have no void borders, and its train list holds photos of VOC's validation set: what is
trained on it may be scored on seg11valid (736 photos), which it leaves out, not on VOC's val.
"""

from pathlib import Path

from fullconv.data.discovery.lists import PHOTOS, by_stem, chosen_list, joined, listed, nothing
from fullconv.data.formats import Format, formats
from fullconv.data.formats._matlab import mat_raw
from fullconv.data.formats.voc import CLASSES
from fullconv.data.labels.masks import MaskTable, as_data
from fullconv.data.labels.tables import plain
from fullconv.data.sample import Data
from fullconv.io.palettes import voc_palette


def open_sbd(source: str, split: str | None) -> Data:
    """Open SBD: benchmark_RELEASE, or the folder `dataset` in it.

    Masks are cls/*.mat, or cls/*.png where somebody converted them.

    Args:
        source: the folder.
        split: "train", "val", or any list NAME.txt; None for everything that has a mask.

    Raises:
        DataError: the layout, a file or the split is not there.
        MissingExtraError: scipy is needed.
    """
    folder = _dataset(Path(source))
    if folder is None:
        raise nothing(Path(source), "sbd", "img/, cls/ and train.txt (benchmark_RELEASE/dataset)")
    photos = by_stem(folder / "img", PHOTOS)
    masks = by_stem(folder / "cls", (".mat",))
    raw = mat_raw("GTcls", "Segmentation") if masks else None
    masks = masks or by_stem(folder / "cls", (".png",))
    if split is None:
        pairs = joined(sorted(masks), photos, masks, folder)
    else:
        path = chosen_list({path.stem: path for path in folder.glob("*.txt")}, split, folder)
        pairs = joined(listed(path), photos, masks, path)
    table = MaskTable(plain(CLASSES))
    return as_data(source, split, pairs, CLASSES, voc_palette(len(CLASSES)), table, raw)


def recognises(folder: Path) -> bool:
    """Whether it holds img/, cls/ and a list."""
    return _dataset(folder) is not None


def _dataset(folder: Path) -> Path | None:
    for place in ("", "dataset", "benchmark_RELEASE/dataset"):
        here = folder / place
        if all((here / part).is_dir() for part in ("img", "cls")) and any(here.glob("*.txt")):
            return here
    return None


formats.register("sbd")(
    Format(
        summary="benchmark_RELEASE/dataset with img/, cls/*.mat, train.txt and val.txt",
        open=open_sbd,
        recognises=recognises,
    )
)
