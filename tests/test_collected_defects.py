"""The collected defects, and what the benchmark on them takes as found."""

import importlib
import subprocess
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
IDENTITY = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


def test_every_defect_points_somewhere(benchmark: Any) -> None:
    defects = benchmark("recall.records").read_defects()
    assert len({one.name for one in defects}) == len(defects) >= 40
    assert {one.half for one in defects} == {"develop", "held_out"}
    for one in defects:
        assert len(one.fix) == len(one.parent) == 40, one.name
        assert one.fix != one.parent, one.name
        assert one.file.endswith(".py"), one.name
        assert one.kind, one.name
        assert one.how_to_tell, one.name
        assert one.oracle is not None or not one.reproduced, one.name


def test_every_oracle_belongs_to_a_defect(benchmark: Any) -> None:
    known = {one.name.replace("-", "_") for one in benchmark("recall.records").read_defects()}
    assert {path.stem for path in (BENCHMARKS / "oracles").glob("*.py")} - {"case"} <= known


def test_every_kind_is_told_by_detectors_that_exist(benchmark: Any) -> None:
    for number, names in benchmark("recall.kinds").DETECTORS_OF.items():
        assert names, number
        assert len(set(names)) == len(names), number


def test_files_of_a_commit_come_out_of_a_bare_directory(tmp_path: Path, benchmark: Any) -> None:
    work, bare = tmp_path / "work", tmp_path / "owner+name"
    (work / "pkg").mkdir(parents=True)
    (work / "pkg" / "a.py").write_text("one = 1\n")
    (work / "b.txt").write_text("no code")
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"], ["clone", "-q", "--bare", ".", str(bare)]):
        subprocess.run(["git", *IDENTITY, *words], cwd=work, check=True, capture_output=True)
    histories = benchmark("recall.histories")
    assert histories.history(tmp_path, "owner/name") == bare
    assert histories.history(tmp_path, "owner/other") is None
    assert histories.python_files(bare, "HEAD") == {"pkg/a.py": b"one = 1\n"}
    with pytest.raises(RuntimeError, match="git ls-tree"):
        histories.python_files(bare, "0" * 40)


def test_the_definition_around_a_symbol_keeps_its_lines(benchmark: Any) -> None:
    source = b"import a\n\ndef f():\n    pass\n\n@a.b\nclass C:\n    def m(self):\n        return a\n"
    kept = benchmark("recall.linters").only("C.m", source).decode().splitlines()
    assert kept == ["import a", "", "", "", "", "@a.b", "class C:", "    def m(self):", "        return a"]


def test_lines_a_fix_changed(benchmark: Any) -> None:
    changed = benchmark("defects").lines_changed
    assert list(changed(["a", "b", "c"], ["a", "x", "c"])) == [2]
    assert list(changed(["a", "c"], ["a", "b", "c"])) == [1, 2]
    assert list(changed(["a", "b"], ["a", "b"])) == []


def test_without_sources_nothing_is_measured(tmp_path: Path, benchmark: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, option in (("defects", "--sources"), ("precision", "--clean")):
        monkeypatch.setattr("sys.argv", [name, option, str(tmp_path)])
        assert benchmark(name).main() == 2
