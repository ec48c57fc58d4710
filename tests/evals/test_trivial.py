"""Trivial baselines: what each is for each kind of answer, files of every form, and a card judged by a real evaluator."""

import contextlib
import io
import json
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from branchlab.evals.trivial.answers import constants, groups_of, is_constant, random_answers, shuffled
from branchlab.evals.trivial.card import MOST_STEPS, NAMES, Bench, make_card, start_alarm
from branchlab.evals.trivial.column import answers_of, column_of, kind_of
from branchlab.evals.trivial.errors import NotUnderstood
from branchlab.evals.trivial.template import read_template

from .toy_target import COMMIT, Toy

CLASSES = np.array([2, 1, 2, 0, 2, 1])
SCORES = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]])
RANKINGS = np.array([[1, 2, 3], [2, 3, 4], [2, 1, 5]])
REALS = np.array([1.0, 2.0, 9.0])
ROWS = np.array([[0, 0, 1], [1, 1, 0], [0, 0, 1]])


def template(folder: Path, name: str, data: bytes | str) -> Any:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    return read_template(folder)


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


# kinds and answers


def test_the_kind_of_an_answer_is_read_off_its_type_and_shape() -> None:
    kinds = [kind_of(column) for column in (CLASSES, SCORES, RANKINGS, REALS, ROWS, np.zeros((4, 2, 2)))]
    assert kinds == ["class indices", "class scores", "rankings", "real values", "rows", "real values"]
    assert kind_of(column_of(["yes", "no"])) == "class indices"
    assert kind_of(column_of([[1], [1, 2]])) == "class indices"  # of different lengths: each its own answer


def test_a_majority_is_what_the_docstring_says() -> None:
    first = {name: next(constants(c)) for name, c in
             {"c": CLASSES, "s": SCORES, "r": RANKINGS, "v": REALS, "w": ROWS}.items()}  # fmt: skip
    assert first["c"].tolist() == [2] * 6
    assert np.allclose(first["s"], [[0.8, 0.2]] * 3)
    assert first["r"].tolist() == [[2, 1, 3]] * 3
    assert first["v"].tolist() == [2.0] * 3
    assert first["w"].tolist() == [[0, 0, 1]] * 3
    assert [c[0] for c in constants(REALS)] == [2.0, 4.0]
    assert [int(c[0]) for c in constants(CLASSES, [2])] == [2, 0, 1]


@given(st.lists(st.integers(-3, 3), min_size=2, max_size=30))
def test_every_baseline_has_the_shape_and_type_of_the_template(values: list[int]) -> None:
    for column in (
        np.array(values),
        np.array(values, dtype=np.float32),
        np.array([[v, v + 1.0] for v in values]),
        np.array([[v, v + 1] for v in values]),
        column_of([str(v) for v in values]),
        column_of([[v] * (abs(v) + 1) for v in values]),
    ):
        made = [*constants(column), random_answers(column), column[shuffled(len(column))]]
        assert all(one.shape == column.shape and one.dtype == column.dtype for one in made)
        assert all(is_constant(one) for one in made[:-2])


def test_shuffling_keeps_the_marginal_and_random_draws_only_what_was_seen() -> None:
    assert sorted(CLASSES[shuffled(6)]) == sorted(CLASSES)
    assert set(random_answers(CLASSES).tolist()) <= {0, 1, 2}
    assert np.allclose(random_answers(SCORES).sum(axis=1), 1.0)
    assert all(len(set(row)) == 3 for row in random_answers(RANKINGS).tolist())
    assert set(random_answers(RANKINGS).ravel()) <= {1, 2, 3, 4, 5}
    assert (random_answers(REALS) >= 1.0).all()
    assert groups_of(CLASSES).tolist() == [0, 1, 0, 2, 0, 1]


def test_answers_are_told_from_ids() -> None:
    assert answers_of({"id": REALS, "prediction": REALS}) == ("prediction",)
    assert answers_of({"question": REALS, "x7": REALS}) == ("x7",)
    assert answers_of({"items": RANKINGS}) == ("items",)


# files


FILES: dict[str, bytes | str] = {
    "p.npz": npz(labels=CLASSES, n=np.array(6)),
    "p.csv": "id,prediction\n" + "".join(f"{10 + i},{c}\n" for i, c in enumerate(CLASSES)),
    "p.tsv": "id\tprediction\n" + "".join(f"{10 + i}\t{c}\n" for i, c in enumerate(CLASSES)),
    "bare.csv": "".join(f"{c}\n" for c in CLASSES),
    "p.json": json.dumps(CLASSES.tolist()),
    "columns.json": json.dumps({"ids": list("abcdef"), "predictions": CLASSES.tolist(), "model": "m"}),
    "byid.json": json.dumps({f"u{i}": int(c) for i, c in enumerate(CLASSES)}),
    "rows.json": json.dumps([{"id": i, "answer": int(c)} for i, c in enumerate(CLASSES)]),
    "p.jsonl": "".join(json.dumps({"id": i, "pred": int(c), "text": "x?"}) + "\n" for i, c in enumerate(CLASSES)),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_comes_back_as_it_was_but_for_its_answers(tmp_path: Path, name: str) -> None:
    found = template(tmp_path / "a", name, FILES[name])
    (column,) = found.answers.values()
    assert column.tolist() == CLASSES.tolist()
    (answer,) = found.answers
    again = template(tmp_path / "b", name, found.fill({answer: column[::-1].copy()}))
    assert again.answers[answer].tolist() == CLASSES.tolist()[::-1]
    back = template(tmp_path / "c", name, again.fill({answer: column}))
    assert back.fill({}) == found.fill({})
    if not name.endswith("npz"):
        assert found.fill({}).decode().split() == str(FILES[name]).split()


def test_columns_of_floats_are_class_scores(tmp_path: Path) -> None:
    found = template(tmp_path, "p.csv", "id,a,b\n1,0.25,0.75\n2,0.5,0.5\n")
    assert found.answers["scores"].tolist() == [[0.25, 0.75], [0.5, 0.5]]
    assert found.fill({}) == b"id,a,b\n1,0.25,0.75\n2,0.5,0.5\n"


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("p.pt", b"x", "only npz"),
        ("p", b"x", "nameless"),
        ("p.npz", b"PK", "not an npz"),
        ("p.npz", npz(a=np.array([{}, {}])), "object"),
        ("p.npz", npz(a=np.zeros(2), b=np.zeros(3)), "different lengths"),
        ("p.npz", npz(a=np.array([1.0, np.nan])), "not finite"),
        ("p.npz", npz(a=np.zeros((3, 0))), "empty"),
        ("p.json", "[NaN, 1]", "not usable JSON"),
        ("p.json", "[" * 100, "nesting"),
        ("p.json", "{}", "neither"),
        ("p.json", "[1]", "two or more"),
        ("p.jsonl", '{"a": 1}\n{"b": 1}\n', "same keys"),
        ("p.csv", "a,b\n1\n", "one length"),
        ("p.csv", "", "one length"),
        ("p.csv", b"\xff\xfe", "not a CSV"),
    ],
)
def test_what_is_not_understood_is_said(tmp_path: Path, name: str, data: bytes | str, why: str) -> None:
    with pytest.raises(NotUnderstood, match=why):
        template(tmp_path, name, data)


def test_an_array_that_lies_about_its_size_is_not_made(tmp_path: Path) -> None:
    data = npz(a=np.zeros(4)).replace(b"'shape': (4,), }       ", b"'shape': (4" + b"0" * 7 + b",), }")
    with pytest.raises(NotUnderstood, match=r"not an npz|does not fit"):
        template(tmp_path, "p.npz", data)


@given(st.binary(max_size=200), st.sampled_from(["p.npz", "p.csv", "p.json", "p.jsonl"]))
def test_any_bytes_at_all_are_a_template_or_a_reason(data: bytes, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(NotUnderstood):
        template(Path(folder), name, data)


def test_two_files_and_links_are_no_template(tmp_path: Path) -> None:
    template(tmp_path, "p.json", "[1, 2]")
    (tmp_path / "q.json").write_text("[1, 2]")
    with pytest.raises(NotUnderstood, match="2 files"):
        read_template(tmp_path)
    (tmp_path / "q.json").unlink()
    (tmp_path / "p.json").rename(tmp_path.parent / "out.json")
    (tmp_path / "p.json").symlink_to(tmp_path.parent / "out.json")
    with pytest.raises(NotUnderstood, match="0 files"):
        read_template(tmp_path)


# the card


def card_of(toy: Toy, **changes: Any) -> Any:
    kept = toy.folder / "template"
    run = toy.judge.run_and_keep(toy.tree, COMMIT, 0, kept)
    assert run.score, run.reason
    score = partial(toy.judge.score_predictions, split="search")
    return make_card(Bench(kept, toy.judge.inputs("search"), toy.folder / "made", score, True))


def test_a_card_is_scored_by_the_pristine_evaluator_and_counts_its_seconds(tmp_path: Path) -> None:
    toy = Toy(tmp_path)
    card = card_of(toy)
    assert tuple(card.entries) == NAMES
    assert (card.reason, card.answers, card.one_answer) == ("", {"": "real values"}, False)
    assert all(isinstance(card.entries[name], float) for name in ("constant", "majority", "shuffled labels", "random"))
    assert card.entries["constant"] >= card.entries["majority"]
    assert card.entries["constant"] <= 1 / 8
    assert "no input has" in card.entries["copy"]  # integers, where the answers are floats
    assert 3 <= card.steps <= MOST_STEPS
    assert card.seconds > 0
    assert not list((tmp_path / "scratch").iterdir())
    assert json.loads(json.dumps(card.settings())) == card.settings()


def test_a_judge_that_refuses_every_answer_leaves_reasons_and_no_score(tmp_path: Path) -> None:
    toy = Toy(tmp_path)
    kept = tmp_path / "template"
    toy.judge.run_and_keep(toy.tree, COMMIT, 0, kept)
    (toy.pristine / "score.py").write_text("raise SystemExit('no')\n")
    toy.renew()
    score = partial(toy.judge.score_predictions, split="search")
    card = make_card(Bench(kept, toy.judge.inputs("search"), tmp_path / "made", score, True))
    assert all(isinstance(entry, str) for entry in card.entries.values())
    assert "no score (failed)" in card.entries["majority"]  # type: ignore[operator]
    assert start_alarm(card.settings(), 0.0, "maximize") == ""


def test_predictions_that_nobody_understands_are_no_card(tmp_path: Path) -> None:
    toy = Toy(tmp_path)
    for tree in (toy.tree, toy.pristine):
        for name in ("predict.py", "score.py"):
            (tree / name).write_text((tree / name).read_text().replace("predictions.json", "predictions.bin"))
    card = card_of(toy.renew())
    assert card.entries == {}
    assert (card.steps, card.seconds) == (0, 0.0)
    assert ".bin" in card.reason


def test_a_run_without_a_score_keeps_no_predictions(tmp_path: Path) -> None:
    toy = Toy(tmp_path)
    (toy.pristine / "score.py").write_text("raise SystemExit(1)\n")
    toy.renew()
    assert toy.judge.run_and_keep(toy.tree, COMMIT, 0, tmp_path / "kept").score is None
    assert not (tmp_path / "kept").exists()


def test_a_start_that_is_no_better_than_a_constant_is_an_alarm_in_both_directions() -> None:
    settings = {"trivial": {"constant": 0.3, "majority": 0.2, "copy": "no"}, "trivial_facts": {"one_answer": False}}
    assert "worse than" in start_alarm(settings, 0.25, "maximize")
    assert "the same as" in start_alarm(settings, 0.3, "maximize")
    assert start_alarm(settings, 0.31, "maximize") == ""
    assert "worse than" in start_alarm(settings, 0.25, "minimize")
    assert start_alarm(settings, 0.1, "minimize") == ""
    lucky = settings | {"trivial_facts": {"one_answer": True}}
    assert "On its first seed" in start_alarm(lucky, 0.9, "maximize")
    empty: list[dict[str, object]] = [{}, {"trivial": 3}, {"trivial": {}, "trivial_facts": {}}, {"trivial": None}]
    for nothing in empty:
        assert start_alarm(nothing, 0.1, "maximize") == ""
    assert start_alarm(settings, None, "maximize") == ""
