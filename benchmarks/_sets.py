"""Write data sets as folders that any software reads: images, masks, lists and classes.txt."""

from pathlib import Path

from fullconv.data.labels.class_lines import distinct_palette, format_lines
from fullconv.data.sample import Data
from fullconv.io.atomic import write_text
from fullconv.io.images import write_image, write_labels


def write_set(place: Path, train: Data, val: Data) -> None:
    """Write the photos and masks of two splits of a data set; `val.txt` is written last."""
    palette = distinct_palette(train.palette)
    for data in (train, val):
        for sample in data:
            write_image(place / "images" / f"{sample.name}.png", sample.image)
            write_labels(place / "masks" / f"{sample.name}.png", sample.labels, palette)
    write_text(place / "classes.txt", "".join(format_lines(train.classes, palette)))
    write_text(place / "train.txt", "".join(f"{sample}\n" for sample in train.names))
    write_text(place / "val.txt", "".join(f"{sample}\n" for sample in val.names))
