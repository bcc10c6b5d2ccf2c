"""List the Chinese pages whose English source has changed: docs/zh/.

    python scripts/translations.py               # list them
    python scripts/translations.py --done PAGE   # after PAGE is translated again

The first line of a translated page has the path and the hash of its English source. Code blocks
have to be identical; tests/test_translations.py checks that, and that every hash is well-formed.
"""

import argparse
import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "zh"
HEAD = re.compile(r"<!-- Translation of ([\w./-]+\.md), sha256 ([0-9a-f]{16}) -->\n")


@dataclass(frozen=True)
class Translation:
    """A translated page, its English source, and the hash of the source that was translated."""

    page: Path
    source: Path
    digest: str

    @property
    def stale(self) -> bool:
        """Whether the source has changed since."""
        return digest_of(self.source) != self.digest


def translations() -> list[Translation]:
    """Return all translated pages.

    Raises:
        ValueError: the first line of a page does not name its source.
    """
    found = []
    for page in sorted(FOLDER.rglob("*.md")):
        head = HEAD.match(page.read_text(encoding="utf-8"))
        if not head:
            raise ValueError(f"{page}: expected a first line such as {head_of(ROOT / 'README.md')}")
        found.append(Translation(page, ROOT / head[1], head[2]))
    return found


def digest_of(source: Path) -> str:
    """Return the hash of a page."""
    return sha256(source.read_bytes()).hexdigest()[:16]


def head_of(source: Path) -> str:
    """Return the first line of a translation of this page."""
    return f"<!-- Translation of {source.relative_to(ROOT)}, sha256 {digest_of(source)} -->\n"


def code_blocks(page: Path) -> list[str]:
    """Return the fenced code blocks of a page."""
    return re.findall(r"^```.*?^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def main() -> None:
    """List stale pages, or give a page the hash of its source."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--done", type=Path, metavar="PAGE")
    done = parser.parse_args().done
    for each in translations():
        if done and each.page == done.resolve():
            text = HEAD.sub(head_of(each.source), each.page.read_text(encoding="utf-8"), count=1)
            each.page.write_text(text, encoding="utf-8")
        elif not done and each.stale:
            print(f"{each.page.relative_to(ROOT)}: {each.source.relative_to(ROOT)} has changed")


if __name__ == "__main__":
    main()
