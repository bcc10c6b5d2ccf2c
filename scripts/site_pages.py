"""The pages of the documentation, and what Zensical reads of them: links, anchors, details."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from translations import HEAD, translations

ROOT = Path(__file__).parents[1]
HOME, INDEX = ROOT / "README.md", ROOT / "docs" / "index.md"
NAMES = {"en": "English", "zh": "中文"}
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Page:
    """A page of one language.

    Args:
        file: its Markdown.
        source: the English page that it is or translates.
    """

    file: Path
    source: Path
    language: str

    @property
    def path(self) -> Path:
        """The path of the Markdown file that Zensical reads, below its language's folder."""
        path = self.source.relative_to(ROOT)
        return path.with_name("index.md") if path.name == "README.md" else path

    @property
    def url(self) -> str:
        """The path of the page in the site."""
        path = self.path.with_suffix(".html").as_posix()
        return path if self.language == "en" else f"{self.language}/{path}"


def all_pages() -> dict[Path, Page]:
    """Return file -> page: README.md, docs/, what they link, and the translations."""
    found = {each.page: Page(each.page, each.source, "zh") for each in translations()}
    pending = [HOME, *(path for path in (ROOT / "docs").rglob("*.md") if path not in found)]
    while pending:
        file = pending.pop()
        if file not in found:
            found[file] = Page(file, file, "en")
            pending += [path for path in linked_files(file) if path.suffix == ".md"]
    return dict(sorted(found.items()))


def linked_files(file: Path) -> list[Path]:
    """Return the files of the repository that a page links, in their order."""
    targets = LINK.findall(FENCE.sub("", file.read_text(encoding="utf-8")))
    paths = [target.partition("#")[0] for target in targets if "://" not in target]
    return [(file.parent / path).resolve() for path in paths if path]


def outside_code(text: str) -> Iterator[tuple[bool, str]]:
    """Split a page into parts; yield whether each is outside of the code blocks, and its text."""
    end = 0
    for block in FENCE.finditer(text):
        yield True, text[end : block.start()]
        yield False, block[0]
        end = block.end()
    yield True, text[end:]


def anchor(title: str, taken: set[str]) -> str:
    """Return the anchor that a repository page gives a heading, and add it to `taken`."""
    plain = re.sub(r"\[(.*?)\]\(.*?\)", r"\1", title).lower()
    slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
    name, number = slug, 1
    while name in taken:
        name, number = f"{slug}-{number}", number + 1
    taken.add(name)
    return name


def convert(page: Page, pages: dict[Path, Page]) -> str:
    """Return the Markdown that Zensical reads."""
    taken: set[str] = set()
    parts = []
    for is_text, part in outside_code(HEAD.sub("", page.file.read_text(encoding="utf-8"))):
        if is_text:
            part = LINK.sub(lambda found: f"]({address(found[1], page, pages)})", part)
            part = HEADING.sub(lambda found: f"{found[0]} {{#{anchor(found[2], taken)}}}", part)
            part = part.replace("<details>", '<details markdown="1">')
        parts.append(part)
    return add_language_link("".join(parts), page, pages)


def address(target: str, page: Page, pages: dict[Path, Page]) -> str:
    """Return the link of the site for a link of the repository."""
    path, separator, fragment = target.partition("#")
    if "://" in target or not path:
        return target
    file = (page.file.parent / path).resolve()
    url = pages[file].url if file in pages else file.relative_to(ROOT).as_posix()
    return relative(url, page) + separator + fragment


def relative(url: str, page: Page) -> str:
    """Return a path of the site as seen from a page."""
    return Path(os.path.relpath(url, Path(page.url).parent)).as_posix()


def add_language_link(text: str, page: Page, pages: dict[Path, Page]) -> str:
    """Put a link to the same page in the other language below the title."""
    others = [p for p in pages.values() if p.source == page.source and p.language != page.language]
    links = " ".join(
        f'<a href="{relative(other.url, page)}" lang="{other.language}" '
        f'hreflang="{other.language}">{NAMES[other.language]}</a>'
        for other in others
    )
    return (
        re.sub(r"\A(\s*# .+\n)", rf'\1\n<p class="language">{links}</p>\n', text) if links else text
    )
