"""Check a built website: links that lead nowhere, and files that come from another host."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}
LOADED |= {"video": "src", "audio": "src", "embed": "src", "object": "data"}
LOADING = {"stylesheet", "icon", "preconnect", "preload", "prefetch", "modulepreload", "manifest"}


@dataclass
class Found:
    """What a page names.

    Args:
        links: targets of links, pictures, scripts and styles.
        loaded: those among them that a browser fetches without a click.
        anchors: where links to this page can lead.
    """

    links: set[str] = field(default_factory=set)
    loaded: set[str] = field(default_factory=set)
    anchors: set[str] = field(default_factory=set)


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found = Found()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag names."""
        values = {name: value for name, value in attrs if value}
        self.found.anchors |= {values[name] for name in ("id", "name") if name in values}
        target = values.get(LOADED.get(tag, "href"))
        if target is None:
            return
        self.found.links.add(target)
        relations = set(values.get("rel", "").split())
        if tag in LOADED and (tag != "link" or relations & LOADING):
            self.found.loaded.add(target)


def read_page(file: Path) -> Found:
    """Return what a page names."""
    parser = _Parser()
    parser.feed(file.read_text(encoding="utf-8"))
    return parser.found


def dead_links(folder: Path) -> list[str]:
    """Return a line for each link inside the site whose file or anchor does not exist.

    A link must also stay inside of the site, and name a file, since a folder opens nothing on disk.
    """
    pages = {file.resolve(): read_page(file) for file in sorted(folder.rglob("*.html"))}
    dead = []
    for file, page in pages.items():
        for link in sorted(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            inside = target.is_relative_to(folder.resolve())
            known = pages.get(target, Found()).anchors | {"", "__skip"}
            if not inside or not target.is_file() or unquote(parts.fragment) not in known:
                dead.append(f"{file.relative_to(folder.resolve())}: {link}")
    return dead


def foreign_hosts(folder: Path) -> list[str]:
    """Return page and address of everything that is fetched from another host without a click."""
    found = []
    for file in sorted(folder.rglob("*.html")):
        for target in sorted(read_page(file).loaded):
            if urlsplit(target).netloc:
                found.append(f"{file.relative_to(folder)}: {target}")
    return found
