"""What is in the folders of a prediction and is no input: counted, and said."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from fullconv.io.images import describe_unsupported
from fullconv.units import count


@dataclass
class LeftOut:
    """What was found in folders and is no input, so that it can be said.

    Attributes:
        pictures: suffix -> number of picture files that are not read.
        links: links to folders, which are not followed.
        unreadable: folders that cannot be opened.
    """

    pictures: Counter[str] = field(default_factory=Counter)
    links: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return it for manifests and --json; {} if there is nothing."""
        counts = dict(sorted(self.pictures.items(), key=lambda pair: (-pair[1], pair[0])))
        parts = {"pictures": counts, "links": self.links, "unreadable": self.unreadable}
        return {name: part for name, part in parts.items() if part}

    def sentences(self) -> Iterator[str]:
        """Yield a sentence for each kind."""
        if self.pictures:
            counts = self.as_json()["pictures"]
            yield f"not read: {describe_unsupported(counts)}"
        if self.links:
            yield f"{count(len(self.links), 'link')} to folders not followed: {_few(self.links)}"
        if self.unreadable:
            folders = count(len(self.unreadable), "folder")
            yield f"{folders} could not be opened: {_few(self.unreadable)}"


def _few(names: Sequence[str]) -> str:
    return ", ".join((*names[:3], *["..."][: len(names) - 3 > 0]))
