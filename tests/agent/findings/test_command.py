"""`branchlab map --findings` on a plain folder: formats, exit codes, and what is read."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from branchlab.agent.cli import main
from branchlab.agent.findings.folder import python_sources
from branchlab.targets.errors import UsageError

FAULTY = """\
def train(model, loader, optimizer):
    for x, y in loader:
        loss = model(x, y)
        loss.backward()
        optimizer.step()
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "train.py").write_text(FAULTY)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def called(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, list(words))
    return result.exit_code, result.stdout, result.stderr


def test_a_plain_folder_needs_no_target_and_is_left_as_it_was(project: Path) -> None:
    code, out, _ = called("map", "--findings", "code")
    assert code == 0
    assert out.startswith("code/train.py:4: missing_zero_grad (medium, propose): ")
    assert "findings: 1, files with findings: 1, files read: 1" in out
    assert [path.name for path in project.rglob("*")] == ["code", "train.py"]


def test_one_file_and_the_working_folder(project: Path) -> None:
    assert called("map", "--findings", "code/train.py")[1].startswith("code/train.py:4: ")
    assert called("map", "--findings")[1].startswith("code/train.py:4: ")


@pytest.mark.parametrize(("least", "code"), [("low", 1), ("medium", 1), ("high", 0)])
def test_the_exit_code_follows_the_confidence(project: Path, least: str, code: int) -> None:
    assert called("map", "code", "--findings", "--fail-on", least)[0] == code


def test_no_findings_never_fail(project: Path) -> None:
    (project / "code" / "train.py").write_text("x = 1\n")
    code, out, _ = called("map", "code", "--findings", "--fail-on", "low")
    assert (code, out) == (0, "findings: 0, files with findings: 0, files read: 1\n")


def test_a_target_means_its_base_commit(project: Path) -> None:
    code, out, _ = called("map", "digits_faulty", "--findings", "--fail-on", "medium")
    assert code == 1
    assert "model.py:21: softmax_before_loss" in out


@pytest.mark.parametrize("words", [("--format", "sarif"), ("--fail-on", "high")])
def test_the_options_are_about_findings(project: Path, words: tuple[str, ...]) -> None:
    code, _, err = called("map", "digits_faulty", *words)
    assert code == 2
    assert "add --findings" in err


def test_a_folder_without_python_is_a_mistake(project: Path) -> None:
    (project / "empty").mkdir()
    code, _, err = called("map", "empty", "--findings")
    assert code == 2
    assert "no Python file here" in err


def test_json_has_the_lines_that_mend_it(project: Path) -> None:
    data: dict[str, Any] = json.loads(called("map", "code", "--findings", "--format", "json")[1])
    (found,) = data["findings"]
    assert found["replacements"] == [
        {"file": "code/train.py", "first": 4, "end": 4, "text": "        optimizer.zero_grad()\n"}
    ]
    assert {key: found[key] for key in ("file", "line", "symbol", "kind", "confidence", "action", "effect")} == {
        "file": "code/train.py", "line": 4, "symbol": "train", "kind": "missing_zero_grad", "confidence": "medium",
        "action": "propose", "effect": "score",
    }  # fmt: skip
    assert json.loads(called("--json", "map", "code", "--findings")[1]) == data


def test_what_cannot_be_read_is_named_and_steers_no_terminal(project: Path) -> None:
    (project / "code" / "odd\x1b[31m.py").write_text("def f(:\n")
    out = called("map", "code", "--findings")[1]
    assert "\x1b" not in out
    assert "code/odd [31m.py: not read: syntax error at line 1" in out


def test_only_the_project_s_own_files_are_read(tmp_path: Path) -> None:
    for name in ("a.py", "pkg/b.py", ".hidden/c.py", "env/lib/d.py", "node_modules/e.py", "pkg/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")
    (tmp_path / "env" / "pyvenv.cfg").touch()
    (tmp_path / "link.py").symlink_to("/etc/passwd")
    (tmp_path / "far").symlink_to("/etc")
    assert list(python_sources(tmp_path)[0]) == ["a.py", "pkg/b.py"]
    (tmp_path / "none").mkdir()
    with pytest.raises(UsageError):
        python_sources(tmp_path / "none")
