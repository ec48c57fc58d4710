"""Each question of the audit on code that earns it, and on code like it that does not."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from branchlab.agent.audit import QUESTIONS, AuditFinding, audit
from branchlab.agent.read import read_code
from branchlab.targets.target import read_target

SEPARATE = """
name = "t"
editable = ["train.py", "predict.py", "shared.py"]
[steps]
train = ["python", "train.py", "{out}"]
predict = ["python", "predict.py", "{inputs}", "{out}"]
score = ["python", "score.py", "{predictions}", "{labels}", "{out}"]
[splits]
search = { inputs = "x0", labels = "y0" }
confirm = { inputs = "x1", labels = "y1" }
sealed = { inputs = "x2", labels = "y2" }
"""
SAME_PROCESS = """
name = "t"
editable = ["train.py"]
[steps]
train = ["python", "train.py", "{out}"]
"""
METRIC = '[metric]\nname = "accuracy"\ndirection = "maximize"\n'


def asked(
    folder: Path, files: dict[str, str], manifest: str = SEPARATE, metric: str = METRIC
) -> tuple[AuditFinding, ...]:
    for name in ("x0", "x1", "x2", "y0", "y1", "y2"):
        (folder / name).write_text(name)
    (folder / "target.toml").write_text(manifest + metric)
    blank = {"train.py": "", "predict.py": "", "score.py": ""}
    code = read_code("c" * 40, {name: text.encode() for name, text in (blank | files).items()})
    return audit(code, read_target(folder))


@dataclass(frozen=True)
class Case:
    question: str
    file: str
    guilty: str
    innocent: str


CASES = (
    Case("predictions_run_as_code", "score.py", "import pickle, sys\np = pickle.load(open(sys.argv[1], 'rb'))\n",
         "import json, sys\np = json.load(open(sys.argv[1]))\n"),
    Case("predictions_run_as_code", "score.py", "import numpy as np\nnp.load('p.npy', allow_pickle=True)\n",
         "import numpy as np\nnp.load('p.npy', allow_pickle=False)\n"),
    Case("predictions_run_as_code", "score.py", "import sys\nsys.path.insert(0, sys.argv[1])\nimport metric\n",
         "import sys\nsys.path.insert(0, 'src')\n"),
    Case("gold_labels_in_prediction", "predict.py",
         "def run(rows, model):\n    return [model.generate(r['question'], r['answer']) for r in rows]\nrun([], 0)\n",
         "def run(rows, model):\n    return [(model.generate(r['question']), r['answer']) for r in rows]\nrun([], 0)\n"),
    Case("gold_labels_in_prediction", "predict.py",
         "for qa in rows:\n    gold = qa.get('answer')\n    prompt = PROMPT.format(q=qa['question'], hint=gold)\n",
         "for shot in few_shots:\n    prompt += PROMPT.format(q=shot['question'], a=shot['answer'])\n"),
    Case("gold_labels_in_prediction", "predict.py", "import numpy as np\ny = np.load('data/test_labels.npy')\n",
         "import json\nnames = json.load(open('data/label_names.json'))\n"),
    Case("hard_coded_answers", "predict.py",
         "A = {'What is red?': '1', 'What is blue?': '2', 'What is big?': '3', 'Who are you?': '4'}\n"
         "def f(question):\n    return A.get(question)\nf('')\n",
         "A = {0: 'cat', 1: 'dog', 2: 'cow', 3: 'hen'}\ndef f(pred_id):\n    return A[pred_id]\nf(0)\n"),
    Case("hard_coded_answers", "predict.py",
         "A = {'q1': 0, 'q2': 1, 'q3': 1, 'q4': 0}\nout = [A[row['qid']] for row in rows]\n",
         "PROMPTS = {'qa': 'a', 'sum': 'b', 'mt': 'c', 'ie': 'd'}\nout = [PROMPTS[row['task']] for row in rows]\n"),
    Case("hard_coded_answers", "predict.py", "def f(question):\n" + "".join(
        f"    if 'w{n}' in question:\n        return 'answer {n}'\n" for n in range(4)) + "f('')\n",
         "def f(name):\n" + "".join(f"    if name == 'w{n}':\n        return {n}\n" for n in range(4)) + "f('')\n"),
    Case("failure_becomes_a_score", "score.py",
         "def accuracy(a, b):\n    try:\n        return sum(a) / len(b)\n    except Exception:\n        return 0.0\naccuracy([], [])\n",
         "def accuracy(a, b):\n    try:\n        return sum(a) / len(b)\n    except Exception as e:\n        raise SystemExit(e)\naccuracy(0, 0)\n"),
    Case("failure_becomes_a_score", "score.py", "m = {}\nprint(m.get('accuracy', 0))\n", "m = {}\nprint(m.get('epoch', 0))\n"),
    Case("failure_becomes_a_score", "score.py",
         "def score(predictions):\n    if not predictions:\n        return 1.0\n    return 0.5\nscore([])\n",
         "def f1(tokens):\n    if not tokens:\n        return 0.0\n    return 0.5\nf1([])\n"),
    Case("failure_becomes_a_score", "score.py",
         "scores = []\nfor p in range(3):\n    try:\n        scores.append(p)\n    except Exception:\n        continue\n",
         "lines = []\nfor p in range(3):\n    try:\n        lines.append(p)\n    except ValueError:\n        continue\n"),
    Case("direction", "train.py", "best_acc = 1\nfor val_acc in []:\n    if val_acc < best_acc:\n        best_acc = val_acc\n",
         "best_loss = 1\nfor val_loss in []:\n    if best_loss > val_loss:\n        best_loss = val_loss\n"),
    Case("direction", "train.py", "ModelCheckpoint(monitor='val_loss', mode='max')\n",
         "ModelCheckpoint(monitor='val_loss', mode='min')\n"),
    Case("test_data_selects", "train.py",
         "best = 0\nfor e in range(9):\n    acc = evaluate(model, test_loader)\n    if acc > best:\n        best = acc\n        save(model)\n",
         "best = 0\nfor e in range(9):\n    acc = evaluate(model, val_loader)\n    if acc > best:\n        best = acc\n        save(model)\n"),
    Case("test_data_selects", "train.py", "m.fit(X, y, eval_set=[(X_test, y_test)], early_stopping_rounds=5)\n",
         "m.fit(X, y, eval_set=[(X_val, y_val)], early_stopping_rounds=5)\n"),
    Case("stale_results", "predict.py",
         "import json, os\ndef f(out):\n    path = out + '/predictions.json'\n    if os.path.exists(path):\n        return json.load(open(path))\nf('')\n",
         "import json, os\ndef f(out):\n    path = out + '/vocab.json'\n    if os.path.exists(path):\n        return json.load(open(path))\nf('')\n"),
    Case("evaluator_in_reach", "score.py", "from shared import f\nf()\n", "import json\n"),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.question)
def test_a_question_speaks_where_it_should_and_nowhere_else(tmp_path: Path, case: Case) -> None:
    shared = {"shared.py": "def f():\n    pass\n"}
    found = asked(tmp_path, shared | {case.file: case.guilty})
    assert {finding.question for finding in found} == {case.question}
    assert asked(tmp_path, shared | {case.file: case.innocent}) == ()


def test_every_question_has_a_case() -> None:
    assert {case.question for case in CASES} == QUESTIONS.keys()


def test_a_finding_says_where_what_and_what_to_do(tmp_path: Path) -> None:
    (found,) = asked(tmp_path, {"score.py": "import json\nm = {}\nprint(m.get('accuracy', 0))\n"})
    assert (found.file, found.line, found.severity) == ("score.py", 3, "high")
    assert all(text and "\n" not in text for text in (found.title, found.rationale, found.advice))


def test_code_that_the_step_does_not_reach_is_not_asked(tmp_path: Path) -> None:
    unused = "def accuracy():\n    try:\n        return f1()\n    except Exception:\n        return 0.0\n"
    assert asked(tmp_path, {"score.py": unused, "other.py": "import pickle\npickle.load(0)\n"}) == ()


def test_a_direction_against_the_name_is_found_in_the_manifest(tmp_path: Path) -> None:
    metric = '[metric]\nname = "perplexity"\ndirection = "maximize"\n'
    (found,) = asked(tmp_path, {}, metric=metric)
    assert (found.question, found.severity, found.file) == ("direction", "high", "target.toml")
    assert (tmp_path / "target.toml").read_text().splitlines()[found.line - 1] == 'direction = "maximize"'
    assert asked(tmp_path, {}, metric='[metric]\nname = "score"\ndirection = "minimize"\n') == ()


def test_a_process_that_reports_its_own_metric_is_said_first(tmp_path: Path) -> None:
    found = asked(
        tmp_path, {"train.py": "best = 0\nif test_acc > best:\n    save(m)\n    best = test_acc\n"}, SAME_PROCESS
    )
    assert [(f.question, f.severity) for f in found] == [("evaluator_in_reach", "high"), ("test_data_selects", "high")]


def test_results_that_lie_in_the_repository_are_worse(tmp_path: Path) -> None:
    stale = next(case for case in CASES if case.question == "stale_results").guilty
    (found,) = asked(tmp_path, {"predict.py": stale.replace("/predictions", "predictions"), "predictions.json": "[1]"})
    assert found.severity == "high"


def test_an_editable_evaluator_is_named(tmp_path: Path) -> None:
    manifest = SEPARATE.replace('"shared.py"]', '"score.py"]')
    (found,) = asked(tmp_path, {}, manifest)
    assert found.question == "evaluator_in_reach"
    assert "score.py" in found.title


@pytest.mark.parametrize("name", ["digits_clean", "digits_faulty", "recommender"])
def test_the_shipped_targets_are_silent(name: str) -> None:
    folder = Path(__file__).parents[2] / "targets" / name
    files = {p.relative_to(folder / "repo").as_posix(): p.read_bytes() for p in (folder / "repo").rglob("*.py")}
    assert audit(read_code("c" * 40, files), read_target(folder)) == ()


@pytest.mark.parametrize(
    "text", ["def f(:\n", "x = " + "(" * 200, "\x00", "\ud800".encode("utf-8", "surrogatepass").decode("latin-1")]
)
def test_a_file_that_cannot_be_read_stops_nothing(tmp_path: Path, text: str) -> None:
    assert asked(tmp_path, {"score.py": text, "train.py": text}) == ()
