"""Build the documentation as a website: build/site/, English, with Chinese in zh/.

    python scripts/make_site.py [FOLDER]

The Markdown of the repository is the source: README.md, docs/ and the pages that they link. It is
written for a plain repository page; here, links become those of the site, headings get the anchors
that a repository page has, and <details> are told to contain Markdown. Zensical does the rest. The
translation of a page has its address, below zh/. Nothing is loaded from another host, and the
pages can be opened from disk. Ends with exit code 1 if a link of the site is dead.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

from check_site import dead_links, foreign_hosts
from site_pages import (
    HEADING,
    HOME,
    INDEX,
    NAMES,
    ROOT,
    Page,
    all_pages,
    convert,
    linked_files,
)

SITE = ROOT / "build" / "site"
TOGGLES = {
    "en": ("Switch to light mode", "Switch to dark mode", "Follow the system"),
    "zh": ("切换到浅色", "切换到深色", "跟随系统"),
}
# What the pages use. The others would turn "1/4" into a fraction and ":name:" into a picture.
EXTENSIONS: dict[str, dict[str, object]] = {
    "attr_list": {},
    "md_in_html": {},
    "tables": {},
    "toc": {"permalink": True},
    "pymdownx.highlight": {"pygments_lang_class": True},
    "pymdownx.superfences": {},
}
FEATURES = ["content.code.copy", "navigation.footer", "navigation.indexes", "navigation.path"]
FEATURES += ["navigation.top", "search.highlight", "toc.follow"]
# The search runs in a worker, which a browser refuses to load from disk, but not from a blob. (With
# this name, Zensical does not add a script of another host for the same purpose.)
SHIM = "iframe-worker.js"
SHIM_CODE = """if (location.protocol === "file:") {
  const source = URL.createObjectURL(new Blob([%s], { type: "text/javascript" }));
  const Original = Worker;
  window.Worker = function () { return new Original(source); };
}
"""


def navigation(index: Path, pages: dict[Path, Page]) -> list[dict[str, object]]:
    """Return the menu: the home page, and the sections of the index with the pages they link."""
    home = next(
        p for p in pages.values() if (p.source, p.language) == (HOME, pages[index].language)
    )
    entries: list[dict[str, object]] = [{"fullconv": home.path.as_posix()}]
    text = index.read_text(encoding="utf-8")
    title = HEADING.findall(text)[0][1]
    entries.append({title: pages[index].path.as_posix()})
    listed = {home.file, index}
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        heading, _, body = section.partition("\n")
        links = menu(index, body, pages, listed)
        if links:
            only = next(iter(links[0].values()))
            entries.append({heading: only if len(links) == 1 and isinstance(only, list) else links})
    return entries


def menu(
    file: Path, text: str, pages: dict[Path, Page], listed: set[Path], inside: Path = ROOT
) -> list[dict[str, object]]:
    """Return an entry for each page of the same language that `text` links for the first time.

    The first page of a folder brings the pages of the folder that it links.

    Args:
        file: the page whose text it is.
        text: some Markdown.
        pages: all pages.
        listed: the pages that have an entry; the new ones are added.
        inside: other pages than those of this folder are left out.
    """
    entries: list[dict[str, object]] = []
    for title, target in re.findall(r"\[([^\]]+)\]\(([^)#\s]+)\)", text):
        page = pages.get((file.parent / target).resolve())
        if page is None or page.language != pages[file].language or page.file in listed:
            continue
        if not page.file.is_relative_to(inside):
            continue
        listed.add(page.file)
        name, path = title.replace("`", ""), page.path.as_posix()
        inner = page.file.read_text(encoding="utf-8") if is_first(page.file) else ""
        below = menu(page.file, inner, pages, listed, page.file.parent)
        entries.append({name: [path, *below] if below else path})
    return entries


def is_first(file: Path) -> bool:
    """Whether a page introduces its folder, and is not the one of the whole documentation."""
    return file.name in ("README.md", "index.md") and file not in (HOME, INDEX)


def settings(language: str, nav: list[dict[str, object]]) -> dict[str, object]:
    """Return Zensical's settings: fonts of the system, light and dark, links that work on disk."""
    media = ("(prefers-color-scheme)", *(f"(prefers-color-scheme: {m})" for m in ("light", "dark")))
    icons = ("lucide/sun-moon", "lucide/sun", "lucide/moon")
    palette: list[dict[str, object]] = [
        {"media": query, "toggle": {"icon": icon, "name": name}}
        for query, icon, name in zip(media, icons, TOGGLES[language], strict=True)
    ]
    palette[1]["scheme"], palette[2]["scheme"] = "default", "slate"
    theme = {"language": language, "font": False, "palette": palette, "features": FEATURES}
    return {
        "site_name": "fullconv",
        "docs_dir": language,
        "site_dir": f"site-{language}",
        "use_directory_urls": False,
        "nav": nav,
        "extra_css": ["site.css"],
        "extra": {"polyfills": [SHIM]},
        "theme": theme,
        "markdown_extensions": [{name: options} for name, options in EXTENSIONS.items()],
        "plugins": [{"search": {}}, {"offline": {}}],
        "validation": {"invalid_links": False, "invalid_link_anchors": False},  # check_site does
    }


def build(folder: Path) -> None:
    """Build the site in a new folder, which replaces the old one when it is complete."""
    pages = all_pages()
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        for language in NAMES:
            stage(language, pages, work)
            index = next(
                p.file for p in pages.values() if (p.source, p.language) == (INDEX, language)
            )
            config = settings(language, navigation(index, pages))
            file = work / f"{language}.yml"  # JSON is YAML
            file.write_text(json.dumps(config, ensure_ascii=False), encoding="utf-8")
            command = [sys.executable, "-m", "zensical", "build", "--strict", "-f", str(file)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            (work / f"site-{language}" / "404.html").unlink()  # expects the root of a host
            add_search(work / f"site-{language}")
        shutil.move(work / "site-zh", work / "site-en" / "zh")
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(work / "site-en", folder)


def stage(language: str, pages: dict[Path, Page], work: Path) -> None:
    """Write what Zensical reads for one language; English takes the linked files along."""
    for page in pages.values():
        if page.language == language:
            path = work / language / page.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(convert(page, pages), encoding="utf-8")
    shutil.copy(ROOT / "scripts" / "site.css", work / language)
    linked = {file for page in pages.values() for file in linked_files(page.file)}
    for file in linked - set(pages) if language == "en" else ():
        path = work / language / file.relative_to(ROOT)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, path)


def add_search(folder: Path) -> None:
    """Write the script that lets the search of a built language run from disk."""
    (worker,) = (folder / "assets" / "javascripts" / "workers").glob("search.*.js")
    code = json.dumps(worker.read_text(encoding="utf-8"))
    (folder / SHIM).write_text(SHIM_CODE % code, encoding="utf-8")


def main() -> None:
    """Build the site, and check its links."""
    if find_spec("zensical") is None:
        sys.exit("make site needs Zensical, which is not installed: run `make setup`")
    folder = Path(sys.argv[1]) if sys.argv[1:] else SITE
    began = time.monotonic()
    build(folder)
    seconds = time.monotonic() - began
    dead, foreign = dead_links(folder), foreign_hosts(folder)
    count = len(list(folder.rglob("*.html")))
    print(f"{count} pages in {seconds:.1f} s, {len(dead)} dead links: {folder / 'index.html'}")
    for line in (*dead, *(f"loads from another host: {each}" for each in foreign)):
        print(line)
    sys.exit(1 if dead or foreign else 0)


if __name__ == "__main__":
    main()
