"""The documentation: code blocks run, links exist, generated pages are up to date."""

import ast
import importlib
import importlib.util
import re
from functools import cache
from pathlib import Path

import pytest
import typer.main

import fullconv
from fullconv import errors
from fullconv.cli import build, run
from test_architecture import PACKAGES

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [
        ROOT / "README.md",
        ROOT / "CHANGELOG.md",
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "models").rglob("*.md"),
    ]
)
APPLICATION = typer.main.get_command(build())
MEMBERS = {
    name: command.commands
    for name, command in APPLICATION.commands.items()
    if hasattr(command, "commands")
}
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


# Code blocks of translations are those of the English pages; tests/test_translations.py compares.
each_english_page = pytest.mark.parametrize(
    "page",
    [page for page in PAGES if "zh" not in page.parts],
    ids=lambda page: str(page.relative_to(ROOT)),
)


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path, languages: str) -> list[str]:
    """Return the content of a page's code blocks in one of the languages, e.g. "console|sh"."""
    return re.findall(rf"^```(?:{languages})\n(.*?)^```", read(page), re.DOTALL | re.MULTILINE)


@each_english_page
def test_python_blocks_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    found = blocks(page, "python")
    assert len(found) == read(page).count("```py"), "a block was not recognized"
    for block in found:
        exec(compile(block, page.name, "exec"), names)


def unnamed(words: list[str]) -> str:
    """Return the member of a group of commands that runs with these words, but is not named."""
    group = APPLICATION.commands[words[0]].context_settings["obj"]
    found = (group.by_option.get(word.partition("=")[0]) for word in words)
    return next(filter(None, found), group.default)


@each_english_page
def test_commands_and_options_exist(page, capsys):
    for block in blocks(page, "console|sh|bash|"):
        for line in re.findall(r"^(?:\$ )?fullconv (.*)", block.replace("\\\n", " "), re.MULTILINE):
            words = line.split("#")[0].split()
            if words[0].startswith(("-", "COMMAND")):
                continue
            members = MEMBERS.get(words[0], {})
            named = words[1:] and words[1] in members
            member = [words[1] if named else unnamed(words)] if members else []
            assert run([words[0], *member, "--help"]) == 0, line
            known = set(re.findall(r"--[a-z0-9-]+", capsys.readouterr().out))
            options = {word.partition("=")[0] for word in words if re.match(r"--[a-z]", word)}
            assert options <= known, f"{page.name}: {line}"


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


@cache
def anchors(page: Path) -> frozenset[str]:
    """Return the anchors of a page's headings, by GitHub's rule; of HTML, the ids."""
    if page.suffix == ".html":
        return frozenset(re.findall(r'<\w+[^>]* id="([^"]+)"', read(page)))
    found: set[str] = set()
    for title in re.findall(r"^#+ (.*)$", without_code(read(page)), re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", re.sub(r"\[(.*?)\]\(.*?\)", r"\1", title).lower())
        slug = slug.replace(" ", "-")
        number = 1
        while (slug if number == 1 else f"{slug}-{number - 1}") in found:
            number += 1
        found.add(slug if number == 1 else f"{slug}-{number - 1}")
    return frozenset(found)


@each_page
def test_links_and_anchors_exist(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(read(page))):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert file.is_relative_to(ROOT), f"{target} leaves the repository"
        if anchor:
            assert anchor in anchors(file), target


def test_every_page_is_linked():
    linked = set()
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)", without_code(read(page))):
            linked.add((page.parent / target).resolve())
    assert {page for page in PAGES if page.name != "README.md"} <= linked


@each_page
def test_named_files_exist(page):
    folders = "benchmarks|scripts|tests|models|docs"
    for path in re.findall(rf"(?<![\w/])(?:{folders})/[\w/.-]+\.\w+", read(page)):
        assert (ROOT / path).exists() or (ROOT / "docs" / path).exists(), path


@each_page
def test_named_modules_and_functions_exist(page):
    for name in re.findall(r"`fullconv\.([\w.]+)`", read(page)):
        found = fullconv
        for part in name.split("."):
            module = f"{found.__name__}.{part}" if hasattr(found, "__path__") else ""
            exists = module and importlib.util.find_spec(module)
            found = importlib.import_module(module) if exists else getattr(found, part)


def make_docs(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    spec = importlib.util.spec_from_file_location("make_docs", ROOT / "scripts" / "make_docs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_pages_are_up_to_date(monkeypatch):
    assert make_docs(monkeypatch).stale() == [], "run `make docs`"


def test_architecture_lists_the_packages_in_order():
    listed = re.findall(r"^\| `(\w+)` \|", read(ROOT / "docs" / "architecture.md"), re.MULTILINE)
    assert tuple(listed) == PACKAGES


def test_every_exit_code_is_listed():
    listed = set(re.findall(r"^\| (\d+) \|", read(ROOT / "docs" / "exit-codes.md"), re.MULTILINE))
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    raised = {str(kind.exit_code) for kind in kinds if issubclass(kind, errors.FullconvError)}
    assert raised <= listed


def test_the_citation_has_the_version():
    assert f"version: {fullconv.__version__}\n" in read(ROOT / "CITATION.cff")
    assert f"version = {{{fullconv.__version__}}}" in read(ROOT / "README.md")


@cache
def templates() -> tuple[str, ...]:
    """Return all texts in the source, with "..." for placeholders and single spaces."""
    found = []
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(read(path))):
            if isinstance(node, ast.JoinedStr):
                parts = [
                    str(part.value) if isinstance(part, ast.Constant) else "..."
                    for part in node.values
                ]
                found.append(" ".join("".join(parts).split()))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(" ".join(node.value.split()))
    return tuple(found)


TROUBLESHOOTING = ROOT / "docs" / "troubleshooting.md"
QUOTED = re.findall(r"^### `(.*)`$", read(TROUBLESHOOTING), re.MULTILINE)


@pytest.mark.parametrize("message", QUOTED)
def test_quoted_messages_exist(message):
    """Troubleshooting quotes messages as in the source, with `...` for placeholders."""
    assert any(message in template for template in templates())


def test_troubleshooting_covers_twenty_faults():
    assert len(re.findall(r"^### ", read(TROUBLESHOOTING), re.MULTILINE)) >= 20
