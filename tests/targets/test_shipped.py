"""What every shipped target promises, and what the two digits targets promise beyond that."""

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from branchlab import targets
from branchlab.targets.find import find_target, shipped
from branchlab.targets.target import Target, read_target

FOLDER = Path(targets.__file__).parent
DIGITS = ("digits_clean", "digits_faulty")
SPLITS = ("search", "confirm", "sealed")
MANIFESTS = sorted(path.parent.name for path in FOLDER.glob("*/target.toml"))


def evaluator(target: Target) -> Path:
    """The script of the score step."""
    assert target.steps.score is not None
    script = next(word for word in target.steps.score if word.endswith(".py"))
    return target.home / target.repo / script


def imported(path: Path) -> set[str]:
    """Top-level names of everything a file imports, at any depth of its code."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add("." if node.level else (node.module or "").split(".")[0])
    return names


# Every shipped target


def test_shipped_names_every_folder_with_a_manifest() -> None:
    assert set(DIGITS) <= set(MANIFESTS)
    assert sorted(shipped()) == MANIFESTS


@pytest.mark.parametrize("name", MANIFESTS)
def test_manifest_is_valid_and_found_by_name(name: str, tmp_path: Path) -> None:
    target = find_target(name, tmp_path)
    assert target == read_target(FOLDER / name / "target.toml")
    assert target.name == name
    assert target.integrity == "separate"


@pytest.mark.parametrize("name", MANIFESTS)
def test_files_the_manifest_names_exist_and_are_different(name: str) -> None:
    target = read_target(FOLDER / name / "target.toml")
    assert target.data is not None
    assert target.splits is not None
    named = [target.data]
    for split in SPLITS:
        part = getattr(target.splits, split)
        named += [part.inputs, part.labels]
    places = [(target.home / path).resolve() for path in named]
    assert all(place.exists() for place in places)
    assert len(set(places)) == len(places)
    repo = (target.home / target.repo).resolve()
    assert not any(place.is_relative_to(repo) for place in places), "a candidate's tree must hold no data"


@pytest.mark.parametrize("name", MANIFESTS)
def test_evaluator_is_protected_and_imports_nothing_of_the_project(name: str) -> None:
    target = read_target(FOLDER / name / "target.toml")
    script = evaluator(target)
    own = {path.stem for path in script.parent.rglob("*.py")} | {path.name for path in script.parent.iterdir()}
    assert script.name in target.protected
    assert script.name not in target.editable
    assert not imported(script) & (own | {".", "torch", "importlib", "runpy"})


# The digits: data


def images_of(name: str, split: str) -> np.ndarray:
    file = "train.npz" if split == "train" else f"{split}_images.npz"
    with np.load(FOLDER / name / "data" / file, allow_pickle=False) as archive:
        return np.asarray(archive["images"])


@pytest.mark.parametrize("name", DIGITS)
def test_no_image_is_in_two_splits(name: str) -> None:
    seen: dict[bytes, str] = {}
    for split in ("train", *SPLITS):
        for image in images_of(name, split):
            assert seen.setdefault(image.tobytes(), split) == split
    assert len(seen) == 600 + 350 + 400 + 400


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("name", DIGITS)
def test_inputs_hold_images_only(name: str, split: str) -> None:
    with np.load(FOLDER / name / "data" / f"{split}_images.npz", allow_pickle=False) as archive:
        assert archive.files == ["images"]
        assert archive["images"].dtype == np.uint8
        assert archive["images"].shape[1:] == (8, 8)
    with np.load(FOLDER / name / "data" / f"{split}_labels.npz", allow_pickle=False) as archive:
        assert archive.files == ["labels"]
        assert len(archive["labels"]) == len(images_of(name, split))
        # Sorted or grouped labels would tell a model the answer by position.
        assert 0.5 < np.mean(np.diff(archive["labels"].astype(int)) != 0) < 1


def test_data_is_small_and_made_by_its_script(tmp_path: Path) -> None:
    committed = FOLDER / "digits_clean/data"
    assert sum(path.stat().st_size for path in committed.iterdir()) < 80_000
    shutil.copy(FOLDER / "digits_clean/make_data.py", tmp_path)
    subprocess.run([sys.executable, "make_data.py"], cwd=tmp_path, check=True)
    made = sorted((tmp_path / "data").iterdir())
    assert [path.name for path in made] == sorted(path.name for path in committed.iterdir())
    for path in made:
        with np.load(path) as now, np.load(committed / path.name) as then:
            assert all(np.array_equal(now[key], then[key]) for key in then.files)


def test_both_digits_targets_ask_the_same_question() -> None:
    clean, faulty = (FOLDER / name for name in DIGITS)
    same = [*(clean / "data").iterdir(), clean / "make_data.py", clean / "repo/evaluate.py", clean / "repo/README.md"]
    for path in same:
        assert path.read_bytes() == (faulty / path.relative_to(clean)).read_bytes()
    manifests = [read_target(folder / "target.toml").model_dump(exclude={"name"}) for folder in (clean, faulty)]
    assert manifests[0] == manifests[1]


def test_faulty_project_is_the_clean_one_but_for_a_few_lines_in_three_files() -> None:
    clean, faulty = (FOLDER / name / "repo" for name in DIGITS)
    changed = {
        path.name: len(set(path.read_text().splitlines()) ^ set((faulty / path.name).read_text().splitlines()))
        for path in clean.glob("*.*")
        if path.read_bytes() != (faulty / path.name).read_bytes()
    }
    assert set(changed) == {"model.py", "train.py", "predict.py"}
    assert sum(changed.values()) <= 8


@pytest.mark.parametrize("name", DIGITS)
def test_library_copy_of_the_labels_is_hidden(name: str) -> None:
    hidden = read_target(FOLDER / name / "target.toml").environment.hide
    purelib = next(Path(p) for p in sys.path if (Path(p) / "sklearn").is_dir())
    assert "sklearn/datasets/data" in hidden
    assert any((purelib / folder / "digits.csv.gz").exists() for folder in hidden)


# The digits: the evaluator

TRUTH = np.arange(30) % 10


def evaluate(folder: Path, nonce: str = "n0") -> subprocess.CompletedProcess[str]:
    """Scores folder/predictions.npz against TRUTH."""
    np.savez(folder / "labels.npz", labels=TRUTH)
    script = FOLDER / "digits_clean/repo/evaluate.py"
    argv = [sys.executable, str(script), "--predictions", "predictions.npz", "--labels", "labels.npz", "--out", "out"]
    return subprocess.run([*argv, "--nonce", nonce], cwd=folder, capture_output=True, text=True, check=False)


def test_perfect_prediction_scores_one_and_carries_the_nonce(tmp_path: Path) -> None:
    np.savez(tmp_path / "predictions.npz", labels=TRUTH)
    assert evaluate(tmp_path, nonce="a1b2").returncode == 0
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    assert metrics == {"accuracy": 1.0, "per_example": [1] * 30, "nonce": "a1b2"}


def test_accuracy_is_the_mean_of_the_examples_in_the_order_of_the_labels(tmp_path: Path) -> None:
    wrong = TRUTH.copy()
    wrong[[0, 7, 29]] += 1
    np.savez(tmp_path / "predictions.npz", labels=wrong)
    assert evaluate(tmp_path).returncode == 0
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    assert [i for i, right in enumerate(metrics["per_example"]) if not right] == [0, 7, 29]
    assert metrics["accuracy"] == pytest.approx(0.9)


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param(TRUTH[:-1], id="one short"),
        pytest.param(np.append(TRUTH, 0), id="one too many"),
        pytest.param(TRUTH[:, None], id="a column, which would broadcast"),
        pytest.param(np.int64(3), id="a scalar, which would broadcast"),
        pytest.param(TRUTH[:0], id="empty"),
        pytest.param(np.full(30, np.nan), id="nan"),
        pytest.param(TRUTH.astype(float), id="floats"),
        pytest.param(TRUTH.astype(str), id="strings"),
        pytest.param(TRUTH.astype(object), id="pickled objects"),
    ],
)
def test_unusable_predictions_are_refused(labels: np.ndarray, tmp_path: Path) -> None:
    np.savez(tmp_path / "predictions.npz", labels=labels)
    assert_refused(tmp_path)


@pytest.mark.parametrize("content", [None, b"", b"not an archive", b"PK\x03\x04 cut off"])
def test_missing_or_broken_file_is_refused(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "predictions.npz").write_bytes(content)
    assert_refused(tmp_path)


def test_archive_without_labels_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "predictions.npz", predictions=TRUTH)
    assert_refused(tmp_path)


def test_bare_array_in_place_of_an_archive_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "predictions.npz").open("wb") as file:
        np.save(file, TRUTH)
    assert_refused(tmp_path)


def assert_refused(folder: Path) -> None:
    done = evaluate(folder)
    assert done.returncode not in (0, 2), done.stderr
    assert done.stderr.strip()
    assert not (folder / "out/metrics.json").exists()


# The digits: training


@pytest.mark.train
def test_same_seed_gives_the_same_model(tmp_path: Path) -> None:
    target = read_target(FOLDER / "digits_clean/target.toml")
    models = []
    for out in ("first", "second"):
        words = {"data": str(target.home / str(target.data)), "out": str(tmp_path / out), "seed": "3"}
        argv = [word.format(**words) for word in target.steps.train]
        subprocess.run(
            [sys.executable, "-B", *argv[1:], "--epochs", "2"],
            cwd=target.home / target.repo,
            env={"OMP_NUM_THREADS": "1"},
            check=True,
        )
        models.append((tmp_path / out / "model.pt").read_bytes())
    assert models[0] == models[1]
