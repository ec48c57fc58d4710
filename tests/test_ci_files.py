"""The workflows we hand out parse, ask for no more rights than they need, and call commands that exist."""

import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

import branchlab
from branchlab.agent.cli import main

FOLDER = Path(__file__).parent.parent / "docs" / "ci"
TEXTS = {name: (FOLDER / name).read_text() for name in ("github-actions.yml", "gitlab-ci.yml")}
FILES: dict[str, dict[Any, Any]] = {name: yaml.safe_load(text) for name, text in TEXTS.items()}
GITHUB, GITLAB = FILES["github-actions.yml"], FILES["gitlab-ci.yml"]


def scripts(name: str) -> list[str]:
    if name == "gitlab-ci.yml":
        return [*GITLAB["branchlab"]["before_script"], *GITLAB["branchlab"]["script"]]
    return [step["run"] for job in GITHUB["jobs"].values() for step in job["steps"] if "run" in step]


def commands(name: str) -> list[list[str]]:
    """Every call of branchlab, as words."""
    lines = [line.strip() for script in scripts(name) for line in script.splitlines()]
    return [shlex.split(line, comments=True) for line in lines if line.startswith("branchlab ")]


@pytest.mark.parametrize("name", FILES)
def test_each_command_and_option_exists(name: str) -> None:
    called = commands(name)
    assert {"review", "doctor"} <= {word for words in called for word in words}
    for words in called:
        at = next(i for i, word in enumerate(words) if word in main.commands)
        command = main.commands[words[at]]
        for part, owner in ((words[1:at], main), (words[at + 1 :], command)):
            known = {option for parameter in owner.params for option in parameter.opts}
            assert {word for word in part if word.startswith("--")} <= known
    words = next(words for words in called if "review" in words)
    formats = next(p.type for p in main.commands["review"].params if "--format" in p.opts)
    assert isinstance(formats, click.Choice)
    assert words[words.index("--format") + 1] in formats.choices


def test_review_has_at_most_six_options() -> None:
    assert sum(isinstance(p, click.Option) for p in main.commands["review"].params) <= 6


@pytest.mark.parametrize("name", FILES)
def test_versions_are_pinned_and_ours_is_this_one(name: str) -> None:
    ours = re.findall(r'branchlab(?:\[\w+\])?==([\w.]+)"', TEXTS[name])
    assert ours == [branchlab.__version__]
    for action in re.findall(r"uses: (\S+)", TEXTS[name]):
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action)
    for image in re.findall(r"(?:image|runs-on): (\S+)", TEXTS[name]):
        assert re.search(r"\d", image)
        assert "latest" not in image


def test_rights_are_least_and_a_stranger_gets_none() -> None:
    assert GITHUB["permissions"] == {}
    rights = {name: job["permissions"] for name, job in GITHUB["jobs"].items()}
    assert rights == {"review": {"contents": "read"}, "comment": {"pull-requests": "write"}}
    assert set(GITHUB[True]) == {"pull_request"}  # YAML 1.1 reads `on` as true
    text = re.sub(r"(?m)^\s*#.*$", "", TEXTS["github-actions.yml"])
    assert "secrets." not in text
    assert "pull_request_target" not in text
    commenting = GITHUB["jobs"]["comment"]
    assert "head.repo.full_name == github.repository" in commenting["if"]
    assert not any(
        "checkout" in step.get("uses", "") or "branchlab " in step.get("run", "") for step in commenting["steps"]
    )


def test_what_is_checked_out_is_the_base() -> None:
    checkout = next(step for step in GITHUB["jobs"]["review"]["steps"] if "checkout" in step.get("uses", ""))
    assert checkout["with"]["ref"] == "${{ github.event.pull_request.base.sha }}"
    assert checkout["with"]["fetch-depth"] == 0


@pytest.mark.parametrize("name", FILES)
def test_nothing_of_the_event_is_pasted_into_a_shell(name: str) -> None:
    """A branch's or title's text in `${{ }}` of a script is a command."""
    assert not any("${{" in script for script in scripts(name))


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_cached(name: str) -> None:
    assert "actions/cache" not in TEXTS[name]
    assert "cache: pip" not in TEXTS[name]
    assert GITLAB["branchlab"]["cache"] == []


def test_gitlab_shows_the_questions_as_tests() -> None:
    job = GITLAB["branchlab"]
    assert job["artifacts"]["reports"]["junit"] in job["script"][-1]
    assert job["artifacts"]["when"] == "always"
