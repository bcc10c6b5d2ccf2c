"""Write a list of classes from what the masks hold, where there is none."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fullconv.data.survey.survey import Survey


def class_file(source: str) -> Path:
    """Return the path of the list of classes to write.

    Raises:
        DataError: the data set has another layout than parallel folders, or has a list of classes.
    """
    from fullconv.data.discovery.resplit import without_groups
    from fullconv.data.formats import detect_format
    from fullconv.data.labels.classes import declared_classes
    from fullconv.errors import DataError

    layout, place = detect_format(without_groups(source)[0])
    folder = Path(place)
    if layout != "folders":
        raise DataError(
            f"the format {layout}, whose classes are not declared by classes.txt",
            expected="a folder of photos beside a folder of masks",
            remedy="leave out --write-classes",
            where=source,
        )
    path = folder / "classes.txt"
    declared = declared_classes(folder)
    if declared or os.path.lexists(path):
        raise DataError(
            "it declares the classes already, and --write-classes changes no list of classes",
            remedy="edit it; or rename it first",
            where=declared.where if declared else path,
        )
    return path


def write_class_list(path: Path, survey: "Survey") -> str:
    """Write the list, and return a sentence about it.

    Raises:
        DataError: the masks hold too many values.
        OutputError: the list exists by now, or cannot be written.
    """
    from fullconv.data.survey.class_list import propose_classes
    from fullconv.errors import OutputError
    from fullconv.io.atomic import write_new

    lines, note = propose_classes(survey)
    try:
        write_new(path, "".join(f"{line}\n" for line in lines).encode())
    except FileExistsError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from error
    about = f" {note}." if note else ""
    shown = ", ".join(lines[:8]) + (", ..." if len(lines) > 8 else "")
    return f"classes   {path}: {shown}.{about} Edit the names."
