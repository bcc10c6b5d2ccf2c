"""samples:NAME: small data sets that come with fullconv; see the README.md beside each."""

from pathlib import Path

from fullconv.data.discovery.inventory import Inventory
from fullconv.data.discovery.opening import open_split
from fullconv.data.formats import Format, folders, formats
from fullconv.data.sample import Data
from fullconv.errors import DataError

FOLDER = Path(__file__).parents[1] / "samples"


def open_samples(name: str, split: str | None) -> Data:
    """Open an included data set by its name.

    Args:
        name: what follows "samples:".
        split: "train", "val", None (all).

    Raises:
        DataError: there is no such data set, or split.
    """
    return open_split(scan(name), f"samples:{name}", split)


def scan(name: str) -> Inventory:
    """List the photos of an included data set, a folder of the format `folders`.

    Raises:
        DataError: there is no such data set.
    """
    names = sorted(path.name for path in FOLDER.iterdir() if path.is_dir())
    if name not in names:
        raise DataError(
            f"samples:{name[:60]} does not come with fullconv",
            expected=" or ".join(f"samples:{known}" for known in names),
        )
    return folders.scan(str(FOLDER / name))


formats.register("samples")(
    Format(
        summary="photos that come with fullconv, samples:nuclei",
        scan=scan,
        recognises=lambda folder: False,
        lists=True,
        open=open_samples,
        located=False,
    )
)
