"""target.toml: what a good one means, and that each mistake in it is one line naming the key."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from branchlab.targets.errors import TargetError
from branchlab.targets.target import duration, read_target

PLAIN = """
name = "study"
editable = ["*.py"]
[steps]
train = ["python", "train.py", "--out", "{out}", "--seed", "{seed}"]
[metric]
name = "accuracy"
direction = "maximize"
"""
SPLIT = """
name = "study"
editable = ["*.py"]
data = "train"
budget = "1h30m"
[steps]
train = ["python", "train.py", "--data", "{data}", "--out", "{out}"]
predict = ["python", "predict.py", "{model}", "{inputs}", "{out}"]
score = ["python", "evaluate.py", "{predictions}", "{labels}", "{out}", "{nonce}"]
[metric]
name = "accuracy"
direction = "maximize"
[splits.search]
inputs = "x1"
labels = "y1"
[splits.confirm]
inputs = "x2"
labels = "y2"
[splits.sealed]
inputs = "x3"
labels = "repo:data/y3"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("train", "x1", "x2", "x3", "y1", "y2"):
        (tmp_path / name).touch()
    return tmp_path


def mistake(folder: Path, text: str | bytes) -> str:
    (folder / "target.toml").write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(TargetError) as caught:
        read_target(folder)
    line = str(caught.value)
    assert "\n" not in line
    assert str(folder / "target.toml") in line
    return line


def test_a_plain_target_gets_the_defaults(folder: Path) -> None:
    (folder / "target.toml").write_text(PLAIN)
    target = read_target(folder / "target.toml")
    assert target.integrity == "same-process"
    assert target.budget == 600
    assert target.home == folder
    assert target.metric.file == "metrics.json"


def test_a_target_with_splits_is_judged_apart(folder: Path) -> None:
    (folder / "target.toml").write_text(SPLIT)
    target = read_target(folder)
    assert target.integrity == "separate"
    assert target.budget == 5400
    assert target.splits is not None
    assert target.splits.sealed.labels == "repo:data/y3"


TRAIN = 'train = ["python", "train.py", "--out", "{out}", "--seed", "{seed}"]'
MISTAKES = {
    "unknown key": (PLAIN, 'name = "study"', 'name = "study"\nedditable = []', ["edditable: unknown key", 'mean "editable"']),
    "unknown inner key": (PLAIN, "direction", "dirrection", ['metric.dirrection: unknown key', "direction"]),
    "unknown split key": (SPLIT, 'labels = "y1"', 'labels = "y1"\nlabel = ""', ["splits.search.label: unknown key", '"labels"']),
    "no metric": (PLAIN, PLAIN[PLAIN.index("[metric]") :], "", ["metric: key is missing", "only name, editable, steps"]),
    "no metric name": (PLAIN, '\nname = "accuracy"', "", ["metric.name: key is missing"]),
    "empty metric name": (PLAIN, '"accuracy"', '""', ["metric.name", "at least 1 character", "found ''"]),
    "direction": (PLAIN, '"maximize"', '"up"', ["metric.direction", "'maximize' or 'minimize'", "found 'up'"]),
    "a string for a list": (PLAIN, TRAIN, 'train = "python train.py"', ["steps.train", "found 'python train.py'"]),
    "a number for a word": (PLAIN, '"train.py"', "3", ["steps.train[1]", "string", "found 3"]),
    "an empty command": (PLAIN, TRAIN, "train = []", ["steps.train", "at least 1 item"]),
    "a switch for a number": (PLAIN, "[steps]", "seeds = {search = [true]}\n[steps]", ["seeds.search[0]", "integer", "True"]),
    "text for a number": (PLAIN, "[steps]", 'limits = {memory_mb = "4"}\n[steps]', ["limits.memory_mb", "integer", "'4'"]),
    "no memory": (PLAIN, "[steps]", "limits = {memory_mb = 0}\n[steps]", ["limits.memory_mb", "greater than 0", "found 0"]),
    "budget in words": (PLAIN, "[steps]", 'budget = "soon"\n[steps]', ["budget", "such as 90s", "found 'soon'"]),
    "budget of nothing": (PLAIN, "[steps]", 'budget = "0s"\n[steps]', ["budget", "greater than 0"]),
    "budget without end": (PLAIN, "[steps]", "budget = inf\n[steps]", ["budget", "finite"]),
    "budget not a number": (PLAIN, "[steps]", "budget = nan\n[steps]", ["budget", "found"]),
    "a date": (PLAIN, "[steps]", "budget = 2024-01-01\n[steps]", ["budget", "2024-01-01"]),
    "name with a slash": (PLAIN, '"study"', '"../study"', ["name", "pattern", "'../study'"]),
    "nothing editable": (PLAIN, '["*.py"]', "[]", ["editable", "at least 1"]),
    "glob outside": (PLAIN, '["*.py"]', '["../*.py"]', ["editable: bad glob", "'../*.py'"]),
    "absolute glob": (PLAIN, '["*.py"]', '["/etc/*"]', ["editable: bad glob"]),
    "only exclusions": (PLAIN, '["*.py"]', '["!a.py"]', ["editable", "takes files in"]),
    "placeholder": (PLAIN, "{seed}", "{sede}", ["steps.train: unknown placeholder", "{sede}", 'did you mean "seed"?']),
    "no out": (PLAIN, "{out}", "out", ["steps.train: {out} is not used"]),
    "length without rungs": (PLAIN, "{seed}", "{length}", ["steps.train: {length} says nothing without rungs"]),
    "rungs without length": (PLAIN + "[rungs]\nshort = 2\nfull = 9", "", "", ["rungs: nothing tells the code", "{length}"]),
    "rungs that fall": (PLAIN + "[rungs]\nshort = 9\nfull = 9", "{seed}", "{length}", ["rungs must rise", "short 9, full 9"]),
    "smoke above short": (PLAIN + "[rungs]\nsmoke = 3\nshort = 2\nfull = 9", "{seed}", "{length}", ["rungs must rise"]),
    "no full": (PLAIN + "[rungs]\nshort = 2", "{seed}", "{length}", ["rungs.full: key is missing"]),
    "a rung of nothing": (PLAIN + "[rungs]\nshort = 0\nfull = 9", "{seed}", "{length}", ["rungs.short", "greater than 0"]),
    "eta of one": (PLAIN + "[rungs]\nshort = 2\nfull = 9\neta = 1.0", "{seed}", "{length}", ["rungs.eta", "1.5"]),
    "no scale": (PLAIN + "[rungs]\nshort = 2\nfull = 9\nscale_up = 1", "{seed}", "{length}", ["rungs.scale_up", "2"]),
    "length in predict": (SPLIT, '"{inputs}"', '"{inputs}", "{length}"', ["steps.predict: unknown placeholder", "{length}"]),
    "no inputs": (SPLIT, ', "{inputs}"', "", ["steps.predict: {inputs} is not used"]),
    "labels in predict": (SPLIT, "{inputs}", "{labels}", ["steps.predict: unknown placeholder", "{labels}"]),
    "no labels": (SPLIT, ', "{labels}"', "", ["steps.score: {labels} is not used"]),
    "predict alone": (SPLIT, SPLIT[SPLIT.index("score =") : SPLIT.index("[metric]")], "", ["steps.predict needs steps.score"]),
    "score alone": (SPLIT, SPLIT[SPLIT.index("predict =") : SPLIT.index("score =")], "", ["steps.score needs steps.predict"]),
    "score without splits": (SPLIT, SPLIT[SPLIT.index("[splits.search]") :], "", ["splits", "needs data splits"]),
    "a split missing": (SPLIT, SPLIT[SPLIT.index("[splits.sealed]") :], "", ["splits.sealed: key is missing"]),
    "splits without score": (PLAIN + SPLIT[SPLIT.index("[splits.search]") :], "", "", ["splits", "steps.score only"]),
    "shared labels": (SPLIT, '"y2"', '"y1"', ["splits", "share their labels"]),
    "no data": (SPLIT, 'data = "train"', "", ["data: steps.train uses {data}"]),
    "data not there": (SPLIT, 'data = "train"', 'data = "tran"', ["data: no such file", "'tran'"]),
    "labels not there": (SPLIT, '"y1"', '"y9"', ["splits.search.labels: no such file", "'y9'"]),
    "labels outside": (SPLIT, "repo:data/y3", "repo:../y3", ["splits.sealed.labels", "'repo:../y3'"]),
    "stdout without group": (PLAIN + 'stdout = "acc=.*"', "", "", ["metric.stdout", "exactly one group", "0 groups"]),
    "stdout with two": (PLAIN + 'stdout = "(a)(b)"', "", "", ["metric.stdout", "exactly one group", "2 groups"]),
    "stdout broken": (PLAIN + 'stdout = "("', "", "", ["metric.stdout", "not a regular expression"]),
    "stdout with score": (SPLIT, "[splits.search]", 'stdout = "(a)"\n[splits.search]', ["metric.stdout", "metric.file"]),
    "metric file outside": (PLAIN + 'file = "../m.json"', "", "", ["metric.file", "'../m.json'"]),
    "seeds overlap": (PLAIN, "[steps]", "seeds = {search = [1, 100]}\n[steps]", ["seeds.confirm", "overlaps", "[100] in both"]),
    "seed twice": (PLAIN, "[steps]", "seeds = {search = [1, 1]}\n[steps]", ["seeds.search: a seed is there twice"]),
    "seed below zero": (PLAIN, "[steps]", "seeds = {search = [-1]}\n[steps]", ["seeds.search[0]", "found -1"]),
    "no seeds": (PLAIN, "[steps]", "seeds = {confirm = []}\n[steps]", ["seeds.confirm", "at least 1"]),
    "url without commit": (PLAIN, "[steps]", 'repo = "https://example.org/a.git"\n[steps]', ["commit", "URL needs a commit"]),
    "a program as url": (PLAIN, "[steps]", 'commit = "v1"\nrepo = "ext::sh -c id"\n[steps]', ["repo", "not allowed", "https, http, ssh"]),
    "git protocol": (PLAIN, "[steps]", 'commit = "v1"\nrepo = "git://a/b"\n[steps]', ["repo", "not allowed"]),
    "range upside down": (PLAIN + '[tunables."a::b"]\nlow = 2\nhigh = 1', "", "", ['tunables."a::b"', "low below high"]),
    "log of zero": (PLAIN + '[tunables."a::b"]\nlow = 0\nlog = true', "", "", ['tunables."a::b"', "low above 0"]),
    "one choice": (PLAIN + '[tunables."a::b"]\nchoices = [1]', "", "", ['tunables."a::b"', "two distinct"]),
    "choice of a list": (PLAIN + '[tunables."a::b"]\nchoices = [[1], 2]', "", "", ["tunables.a::b.choices[0]", "found [1]"]),
    "unknown tunable key": (PLAIN + '[tunables."a::b"]\nhihg = 1', "", "", ["tunables.a::b.hihg: unknown key", '"high"']),
    "syntax": (PLAIN, 'name = "study"', 'name = "study', ["not valid TOML", "line 2"]),
    "key twice": (PLAIN, 'name = "study"', 'name = "study"\nname = "b"', ["not valid TOML", "line 3"]),
}  # fmt: skip


@pytest.mark.parametrize("case", MISTAKES)
def test_each_mistake_is_one_line_that_names_the_key(folder: Path, case: str) -> None:
    text, old, new, expected = MISTAKES[case]
    assert not old or old in text
    line = mistake(folder, text.replace(old, new, 1) if old else text)
    for part in expected:
        assert part in line


def test_further_mistakes_are_counted(folder: Path) -> None:
    assert "(and 1 more)" in mistake(folder, PLAIN.replace('"maximize"', '"up"').replace('"study"', '"/"'))


def test_bytes_that_are_no_text(folder: Path) -> None:
    assert "not UTF-8 text" in mistake(folder, PLAIN.encode() + b"\xff")


def test_a_value_cannot_break_the_line(folder: Path) -> None:
    assert "\x1b" not in mistake(folder, PLAIN.replace('"maximize"', '"a\\nb\\u001b[31m"'))


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=r"there is no target\.toml"):
        read_target(tmp_path / "target.toml")
    with pytest.raises(TargetError, match=r"there is no target\.toml"):
        read_target(tmp_path)


@given(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99))
def test_durations_add_up(hours: int, minutes: int, seconds: int) -> None:
    assert duration(f"{hours}h{minutes}m{seconds}s") == hours * 3600 + minutes * 60 + seconds
    assert duration(f"{seconds}") == seconds


@pytest.mark.parametrize("text", ["", " ", "m", "1d", "1.5h", "-1m", "1h 30m", "1m1h", "½h"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="such as 90s"):
        duration(text)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_target_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    file = tmp_path_factory.mktemp("any") / "target.toml"
    file.write_bytes(data)
    with pytest.raises(TargetError):
        read_target(file)
