"""XML that others wrote, without what makes it dangerous."""

import re
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from fullconv.errors import DataError
from fullconv.formats._texts import text_of

MOST_BYTES = 256 * 2**20  # of one file, whose tree takes some ten times as much memory

# Entities can grow a small file to gigabytes, or read other files.
_FORBIDDEN = re.compile(r"<!\s*(DOCTYPE|ENTITY)", re.IGNORECASE)


def read_xml(path: Path) -> Element:
    """The root element of an XML file without a document type and entities.

    Raises:
        DataError: it is missing, too large, broken, or defines a document type or entities.
    """
    if not path.is_file():
        raise DataError(f"{path}: there is no such file; expected the export of the labelling tool")
    if path.stat().st_size > MOST_BYTES:
        raise DataError(
            f"{path}: {path.stat().st_size / 2**20:.0f} MiB; at most {MOST_BYTES // 2**20} are "
            "read: export the annotations in parts"
        )
    text = text_of(path)  # as text, so that no other encoding hides what is looked for
    if _FORBIDDEN.search(text):
        raise DataError(
            f"{path}: it defines a document type or entities, which can be an attack and which "
            "no labelling tool writes; export the annotations again"
        )
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise DataError(f"{path}: broken XML ({error}); export the annotations again") from error
