"""The pages of docs/defects are what the detectors' docstrings say."""

from pathlib import Path

import pytest
import yaml

from branchlab.agent.cli import main
from branchlab.agent.findings.kinds import kind_of, kinds
from branchlab.agent.findings.pages import render_pages
from branchlab.agent.proposers.defects import DETECTORS

ROOT = Path(__file__).parents[3]
PAGES = ROOT / "docs" / "defects"


def test_the_pages_are_up_to_date() -> None:
    assert {page.name: page.read_text(encoding="utf-8") for page in PAGES.glob("*.md")} == render_pages(), (
        "run `make docs`"
    )


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.name)
def test_every_docstring_says_what_why_and_shows_it(kind: object) -> None:
    assert kind.summary.endswith(".")  # type: ignore[attr-defined]
    assert "**Why it hurts:**" in kind.markdown  # type: ignore[attr-defined]
    assert "```" in kind.markdown  # type: ignore[attr-defined]


def test_every_kind_has_a_page_that_the_index_names() -> None:
    index = render_pages()["README.md"]
    assert all(f"({name}.md)" in index for name in DETECTORS)


def test_a_docstring_is_taken_apart() -> None:
    text = "What it is,\nin two lines.\n\nWhy it hurts: it does. Source: a book.\n\n    a = 1\n\n    b = 2\n\nWhat is silent.\n"
    assert kind_of("a_kind", text).markdown == (
        "What it is, in two lines.\n\n**Why it hurts:** it does.\n\n**Source:** a book.\n\n"
        "```text\na = 1\n\nb = 2\n```\n\nWhat is silent."
    )
    assert kind_of("a_kind", "").summary == "a_kind"


def test_the_hook_calls_a_command_that_exists() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    program, command, *options = hook["entry"].split()
    assert (program, hook["language"], hook["pass_filenames"]) == ("branchlab", "python", False)
    known = {name for option in main.commands[command].params for name in option.opts}
    assert {option for option in options if option.startswith("--")} <= known
