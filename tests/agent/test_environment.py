"""A target's environment on the whole road: built before the first run, kept, and not for a candidate to change."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from branchlab.agent.checks import CHECKS, Change
from branchlab.agent.draft_environment import environment_lines
from branchlab.sandbox import backends
from branchlab.targets.errors import TargetError
from branchlab.targets.target import Environment, Metric, Steps, Target, read_target

from ..packages import make_sdist, make_wheel
from ..project import MANIFEST, MODEL, SCORE, git, make_project

ALLOWED = "allow_dependency_changes = true\n"


@pytest.fixture(scope="module", autouse=True)
def _sandbox() -> None:
    found = backends.probe()[0]
    if not found.available and os.environ.get("BRANCHLAB_REQUIRE_SANDBOX") != "1":
        pytest.skip(found.reason)


def started(folder: Path, *words: str) -> "subprocess.Popen[str]":
    """The command, on a host whose pip knows the packages of one folder and nothing else."""
    settings = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder / "links"), "PIP_CONFIG_FILE": os.devnull}
    return subprocess.Popen(
        [sys.executable, "-m", "branchlab", *words], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env={**os.environ, **settings},
    )  # fmt: skip


def branchlab(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    process = started(folder, *words)
    stdout, stderr = process.communicate(timeout=240)
    return subprocess.CompletedProcess(words, process.returncode, stdout, stderr)


def project(folder: Path, environment: str = "", **files: str) -> Path:
    """A project whose model weighs the second coordinate by `toy.value`: 0 in toy 1, 1 in toy 2."""
    model = "import toy\n\n\n" + MODEL.replace("[point[0], 1.0]", "[point[0], toy.value * point[1], 1.0]")
    score = SCORE.replace("import json\n", "import json\nimport toy\n", 1).replace(
        '"nonce": nonce', '"toy": toy.value, "nonce": nonce'
    )
    code = {"model.py": model, "score.py": score, "requirements.txt": "-c limits.txt\ntoy\n", "limits.txt": "toy==1\n"}
    manifest = f'{MANIFEST}[environment]\nrequirements = ["requirements.txt"]\n{environment}'
    made = make_project(folder, files={**code, **files}, manifest=manifest)
    make_wheel(made / "links", "toy", "1", "value = 0\n")
    make_wheel(made / "links", "toy", "2", "value = 1\n")
    return made


def on_branch(folder: Path, name: str, **files: str) -> None:
    repo = folder / "repo"
    git(repo, "checkout", "-q", "-b", name, "main")
    for file, text in files.items():
        (repo / file.replace("_", ".")).write_text(text)
    git(repo, "commit", "-qam", name)
    git(repo, "checkout", "-q", "main")


def environments(folder: Path) -> list[Path]:
    return sorted(folder.glob(".branchlab/environments/*/complete"))


def trials(folder: Path, arm: str) -> list[dict[str, Any]]:
    found = json.loads(branchlab(folder, "--json", "show", "last").stdout)["trials"]
    return [trial for trial in found if trial["arm"] == arm]


def test_a_branch_that_changes_what_is_installed_is_refused_before_it_runs(tmp_path: Path) -> None:
    folder = project(tmp_path / "project")
    for name, files in (
        ("named", {"requirements_txt": "toy==2\n"}),
        ("included", {"limits_txt": "toy==2\n"}),
    ):
        on_branch(folder, name, **files)
        result = branchlab(folder, "review", "target.toml", name)
        assert result.returncode == 1, result.stderr
        assert "allow_dependency_changes" in result.stderr
        assert trials(folder, "review") == []
    assert result.stderr.count("building the environment") == 0, "the first review's is found"
    assert len(environments(folder)) == 1


def test_where_it_is_allowed_the_branch_has_its_own_environment_and_pays_for_it(tmp_path: Path) -> None:
    folder = project(tmp_path / "project", ALLOWED)
    on_branch(folder, "newer", limits_txt="toy==2\n")
    result = branchlab(folder, "review", "target.toml", "newer")
    assert result.returncode == 0, result.stderr
    assert "newer is better" in result.stderr
    assert result.stderr.count("building the environment: 1 requirements") == 2
    assert len(environments(folder)) == 2
    (newer,) = folder.glob(".branchlab/environments/*/venv/lib/*/site-packages/toy-2.dist-info")
    seconds = json.loads((newer.parents[4] / "complete").read_text())["seconds"]
    theirs = [run["device_seconds"] for trial in trials(folder, "review") for run in trial["runs"]]
    assert max(theirs) > seconds
    scores = [run["score"] for arm in ("review", "baseline") for trial in trials(folder, arm) for run in trial["runs"]]
    assert {score["extras"]["toy"] for score in scores} == {0.0}, "scored in the environment of the base commit"


def test_a_branch_whose_environment_cannot_be_built_fails_and_is_not_built_again(tmp_path: Path) -> None:
    folder = project(tmp_path / "project", ALLOWED)
    on_branch(folder, "gone", requirements_txt="toy\nno-such-package\n")
    result = branchlab(folder, "review", "target.toml", "gone")
    assert result.returncode == 1, result.stderr
    assert "no-such-package" in result.stderr
    assert result.stderr.count("building the environment: 2 requirements") == 1
    assert {run["status"] for trial in trials(folder, "review") for run in trial["runs"]} == {"failed"}


def test_what_the_untouched_code_lacks_ends_the_run_in_one_line_with_the_line_to_add(tmp_path: Path) -> None:
    model = "import sklearn_of_nobody\n" + MODEL
    folder = project(tmp_path / "project", **{"model.py": model})
    result = branchlab(folder, "run", "target.toml", "--budget", "30s")
    assert result.returncode == 2
    line = result.stderr.strip().splitlines()[-1]
    assert "no module sklearn_of_nobody: the environment lacks sklearn-of-nobody (a guess" in line
    assert "add the line `sklearn-of-nobody" in line
    assert "to requirements.txt" in line


def test_an_environment_that_cannot_be_built_ends_the_run_in_one_line_with_its_log(tmp_path: Path) -> None:
    folder = project(tmp_path / "project", **{"requirements.txt": "no-such-package\n"})
    result = branchlab(folder, "run", "target.toml", "--budget", "30s")
    assert result.returncode == 2
    line = result.stderr.strip().splitlines()[-1]
    assert "no-such-package" in line
    log = next(Path(word.rstrip(":")) for word in line.split() if word.endswith(".log:"))
    assert "no-such-package" in log.read_text()
    assert environments(folder) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_stopped_while_its_environment_is_built_goes_on_from_there(
    tmp_path: Path, number: signal.Signals
) -> None:
    folder = project(tmp_path / "project", **{"requirements.txt": "toy==1\nslow\n"})
    flag = folder / "links" / "go"
    waits = f"import os, time\nwhile not os.path.exists({str(flag)!r}): time.sleep(0.01)\nreturn []"
    make_sdist(folder / "links", "slow", waits)
    process = started(folder, "run", "target.toml", "--budget", "1s")
    assert process.stderr
    while not list(folder.glob(".branchlab/environments/*/venv/bin/python")):
        assert process.poll() is None
    process.send_signal(number)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130, said
    assert "--resume" in said
    assert json.loads(branchlab(folder, "--json", "show").stdout)[0]["status"] == "interrupted"
    assert environments(folder) == []
    flag.touch()
    resumed = branchlab(folder, "run", "--resume", "last")
    assert resumed.returncode == 3, resumed.stderr  # one second pays for nothing, but the code was run
    assert "wanted at least" in resumed.stderr
    assert len(environments(folder)) == 1


def target(**environment: Any) -> Target:
    made = Target(
        name="t",
        steps=Steps(train=("python", "train.py")),
        metric=Metric(name="accuracy", direction="maximize"),
        editable=("**",),
        environment=Environment(requirements=("deps.txt",), **environment),
    )
    made._dependency_files = frozenset({"deps.txt", "more.in"})
    return made


@pytest.mark.parametrize("file", ["deps.txt", "more.in"])
def test_dependency_files_are_in_scope_only_where_target_toml_says_so(file: str) -> None:
    change = Change({file: b"a\n"}, {file: b"b\n"}, {file: b"b\n"})
    refused = CHECKS["in_scope"].judge(target(), change)
    assert not refused.passed
    assert "allow_dependency_changes" in refused.reason
    assert CHECKS["in_scope"].judge(target(allow_dependency_changes=True), change).passed


@pytest.mark.parametrize(
    "file", ["requirements-dev.txt", "requirements/gpu.in", "a/constraints.txt", "pylock.toml", "poetry.lock",
             "environment.yml", "pyproject.toml", "setup.py", "Pipfile"],
)  # fmt: skip
def test_other_files_about_packages_are_never_in_scope(file: str) -> None:
    change = Change({file: b"a\n"}, {file: b"b\n"}, {file: b"b\n"})
    assert not CHECKS["in_scope"].judge(target(allow_dependency_changes=True), change).passed


def test_what_a_change_installs_may_be_imported_and_nothing_else() -> None:
    code = {"train.py": b"import nobody_knows_me\n"}
    before = {"train.py": b"", "deps.txt": b""}
    allowed = target(allow_dependency_changes=True)
    with_line = Change(before, {**code, "deps.txt": b"nobody-knows-me\n"}, code)
    assert CHECKS["imports"].judge(allowed, with_line).passed
    assert not CHECKS["imports"].judge(allowed, Change({"train.py": b""}, code, code)).passed


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('python = "python3"\nrequirements = ["r.txt"]', "base_python names the interpreter"),
        ('requirements = ["uv.lock"]', "uv export"),
        ('requirements = ["pylock.toml"]', "requirement file"),
        ('requirements = ["../r.txt"]', "inside the repository"),
        ('base_python = "python3"', "without requirements"),
        ("allow_dependency_changes = true", "without requirements"),
        ('requirement = ["r.txt"]', 'did you mean "requirements"?'),
    ],
)
def test_mistakes_in_target_toml_are_one_line(lines: str, said: str, tmp_path: Path) -> None:
    folder = make_project(tmp_path / "project", manifest=f"{MANIFEST}[environment]\n{lines}\n")
    with pytest.raises(TargetError) as caught:
        read_target(folder)
    assert said in str(caught.value)
    assert "environment." in str(caught.value)


def test_a_draft_names_the_requirement_file_where_a_package_is_lacking() -> None:
    def drafted(foreign: list[str], **sources: str) -> str:
        files = {name.replace("_", "."): text.encode() for name, text in sources.items()}
        return "\n".join(environment_lines(foreign, files))

    lacking = drafted(["numpy", "nobody_knows_me"], requirements_txt="nobody\nnumpy\n")
    assert '\nrequirements = ["requirements.txt"]' in lacking
    assert "lacks nobody_knows_me; requirements.txt asks for 2 packages" in lacking
    assert "requirements =" not in drafted(["numpy"], requirements_txt="numpy\n")
    assert "requirements =" not in drafted(["nobody_knows_me"])
    both = drafted(["nobody_knows_me"], requirements_txt="-e .\n", pyproject_toml='[project]\ndependencies = ["x"]\n')
    assert '\nrequirements = ["pyproject.toml"]' in both
    assert "# CHECK: an environment cannot be built from requirements.txt as it is: requirements.txt:1" in both
