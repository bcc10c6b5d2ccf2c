"""The README's code runs as it stands, and its commands and files exist."""

import re
from pathlib import Path

import pytest

from fullconv.cli import run

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_blocks_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    found = blocks(page, "python")
    assert len(found) == page.read_text(encoding="utf-8").count("```py"), "none is passed over"
    for block in found:
        exec(compile(block, page.name, "exec"), names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_and_option_exists(page, capsys):
    for block in blocks(page, "console"):
        for line in re.findall(r"\$ fullconv (.*)", block):
            words = line.split("#")[0].split()
            assert run([words[0], "--help"]) == 0, line
            known = capsys.readouterr().out
            for option in (word for word in words if word.startswith("--")):
                assert option in known, f"{page.name}: {line}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target
