"""Architecture proposals: what is found, what stays silent, and what the edited programs look like and do."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import branchlab.targets
from branchlab.agent.code_map import CodeMap
from branchlab.agent.operators.apply import apply_edits
from branchlab.agent.proposal import Edit, Proposal
from branchlab.agent.proposers.architecture import ArchitectureProposer
from branchlab.agent.read import read_code
from branchlab.evals.trial import ProposalRecord, Trial
from branchlab.targets.errors import OperatorError

from .autoencoder_projects import BASKETS, NEIGHBOURS

TARGET = Path(branchlab.targets.__file__).parent / "recommender"
RECOMMENDER = {path.name: path.read_bytes() for path in (TARGET / "repo").iterdir() if path.is_file()}
BASKET_FILES = {"baskets.py": BASKETS.encode()}
SINGLES = {"closed_form_model", "corrupt_input", "remove_hidden_layers", "multinomial_likelihood"}


def read(sources: dict[str, bytes]) -> CodeMap:
    return read_code("c" * 40, sources)


def proposals(sources: dict[str, bytes]) -> Sequence[Proposal]:
    return found_in(tuple(sorted(sources.items())))


@lru_cache
def found_in(files: tuple[tuple[str, bytes], ...]) -> Sequence[Proposal]:
    return ArchitectureProposer().propose(read(dict(files)), (), (), limit=50)


def operators(proposal: Proposal) -> set[str]:
    return {edit.operator for edit in proposal.edits} & SINGLES


def edited(sources: dict[str, bytes], *wanted: str) -> dict[str, str]:
    """The changed files of the proposal that consists of these operators."""
    proposal = next(p for p in proposals(sources) if operators(p) == set(wanted))
    return {file: data.decode() for file, data in apply_edits(sources, proposal.edits).items()}


@pytest.mark.parametrize("sources", [RECOMMENDER, BASKET_FILES], ids=["recommender", "baskets"])
def test_singles_pairs_and_the_triple_are_proposed_once_each(sources: dict[str, bytes]) -> None:
    groups = [frozenset(operators(p)) for p in proposals(sources)]
    free = SINGLES - {"closed_form_model"}
    assert len(groups) == len(set(groups)) == 8
    assert {frozenset({name}) for name in SINGLES} <= set(groups)
    assert frozenset(free) in groups
    assert frozenset({"corrupt_input", "remove_hidden_layers"}) in groups[:2]
    assert all(len(p.title) <= 72 for p in proposals(sources))


@pytest.mark.parametrize("name", sorted(NEIGHBOURS))
def test_silent_on_what_is_no_autoencoder(name: str) -> None:
    assert proposals({"main.py": NEIGHBOURS[name].encode()}) == []


def test_what_was_tried_is_not_proposed_again_and_the_limit_holds() -> None:
    code, every = read(BASKET_FILES), proposals(BASKET_FILES)
    tried = [record(proposal) for proposal in every[:2]]
    assert ArchitectureProposer().propose(code, (), tried, limit=3) == every[2:5]


def record(proposal: Proposal) -> ProposalRecord:
    return ProposalRecord(
        id=proposal.id,
        run_id="r",
        arm="edits",
        kind="architecture",
        claimed_kind="architecture",
        title=proposal.title,
        rationale="",
        evidence=(),
        edits=(),
        proposer="architecture",
        parent=proposal.parent,
        commit=None,
        diff="",
        outcome="branched",
    )


def test_combinations_of_ideas_that_were_kept_come_first() -> None:
    every = proposals(BASKET_FILES)
    singles = {next(iter(operators(p))): p for p in every if len(operators(p)) == 1}
    kept = [singles["remove_hidden_layers"].id, singles["multinomial_likelihood"].id]
    history = [
        Trial(p.id, "r", "edits", "search", "c", "p", {}, p.id, (), (), "keep" if p.id in kept else "discard", 1.0)
        for p in singles.values()
    ]
    first, *_ = ArchitectureProposer().propose(read(BASKET_FILES), history, (), limit=50)
    assert operators(first) == {"remove_hidden_layers", "multinomial_likelihood"}


def test_an_edited_branch_is_not_offered_the_same_edit_again() -> None:
    after = {k: v.encode() for k, v in edited(RECOMMENDER, "corrupt_input", "remove_hidden_layers").items()}
    again = proposals({**RECOMMENDER, **after})
    assert [operators(p) for p in again if "closed_form_model" not in operators(p)] == [{"multinomial_likelihood"}]


def test_an_autoencoder_whose_outputs_nobody_ranks_keeps_its_loss_and_its_bottleneck() -> None:
    pictures = {"baskets.py": BASKETS.replace("topk(3).indices", "sum()").encode()}
    found = set().union(*(operators(p) for p in proposals(pictures)))
    assert found == {"corrupt_input", "remove_hidden_layers"}


@pytest.mark.parametrize("ending", ["nn.Sigmoid()", "nn.Linear(5, 5), nn.Sigmoid()"])
def test_an_output_squashed_to_probabilities_gets_no_softmax_on_top(ending: str) -> None:
    squashed = {
        "baskets.py": BASKETS.replace(
            "nn.Linear(30, num_products))", f"nn.Linear(30, num_products), {ending})"
        ).encode()
    }
    assert not any("multinomial_likelihood" in operators(p) for p in proposals(squashed))


def test_fewer_layers_in_a_list_of_sizes() -> None:
    train = edited(RECOMMENDER, "remove_hidden_layers")["train.py"]
    assert '"hidden": [BOTTLENECK_SIZE],' in train
    assert "HIDDEN_SIZE" not in train.replace("BOTTLENECK_SIZE", "")


def test_fewer_layers_in_stacks_of_layers() -> None:
    after = edited(BASKET_FILES, "remove_hidden_layers")["baskets.py"]
    assert (
        "        self.encoder = nn.Sequential(\n"
        "            nn.Linear(num_products, 8),\n"
        "            nn.ReLU(),\n"
        "        )\n"
        "        self.decoder = nn.Sequential(nn.Linear(8, num_products))\n"
    ) in after


def test_multinomial_likelihood_takes_the_criterion_along() -> None:
    train = edited(RECOMMENDER, "multinomial_likelihood")["train.py"]
    assert "loss = -(nn.functional.log_softmax(model(batch), dim=1) * batch).sum(dim=1).mean()" in train
    assert "MSELoss" not in train
    after = edited(BASKET_FILES, "multinomial_likelihood")["baskets.py"]
    assert "error = -(nn.functional.log_softmax(restored, dim=1) * rows).sum(dim=1).mean()" in after


def test_corrupted_input_names_its_rate_where_a_tuner_finds_it() -> None:
    model = edited(RECOMMENDER, "corrupt_input")["model.py"]
    line = "nn.functional.dropout(nn.functional.normalize(x), INPUT_DROPOUT, self.training)"
    assert f"-> torch.Tensor:\n        x = {line}\n        return self.layers(x)" in model
    after = edited(BASKET_FILES, "corrupt_input")["baskets.py"]
    assert "ROUNDS = 3\nINPUT_DROPOUT = 0.5\n" in after
    assert '"""Scores of every product."""\n        baskets = nn.functional.dropout(' in after


def test_closed_form_replaces_the_model_and_its_epochs() -> None:
    after = edited(RECOMMENDER, "closed_form_model")
    assert after["train.py"].split("def fit")[1].split("def main")[0] == (
        "(model: nn.Module, matrix: torch.Tensor) -> None:\n"
        "    model.train()\n"
        "    for rows in torch.randperm(len(matrix)).split(BATCH_SIZE):\n"
        "        batch = matrix[rows]\n"
        "        model.observe(batch)\n"
        "    model.fit_closed_form()\n\n\n"
    )
    assert "EPOCHS" not in after["train.py"]
    assert "RIDGE = 1.0" in after["model.py"]
    assert "def __init__(self, n_items: int, hidden: list[int]" in after["model.py"]
    other = edited(BASKET_FILES, "closed_form_model")["baskets.py"]
    assert (
        "        loader = DataLoader(TensorDataset(data), batch_size=16, shuffle=True)\n"
        "        for (rows,) in loader:\n"
        "            self.net.observe(rows)\n"
        "        self.net.fit_closed_form()\n"
        "        return self.net\n"
    ) in other
    assert "SGD" not in other
    assert "ROUNDS" not in other


LOOP = """def fit(model, x):
    for epoch in range(9):
{body}
    return {returned}
"""


@pytest.mark.parametrize(
    ("body", "returned", "expected"),
    [
        ("        loss = (model(x) - x).pow(2).mean()\n        loss.backward()", "model", "    model.observe(x)\n"),
        (
            "        order = torch.randperm(len(x))\n        for i in range(0, len(x), 32):\n"
            "            part = x[order[i : i + 32]]\n            loss = f(model(part), part)\n            loss.backward()",
            "model",
            "    order = torch.randperm(len(x))\n    for i in range(0, len(x), 32):\n"
            "        part = x[order[i : i + 32]]\n        model.observe(part)\n",
        ),
    ],
)  # fmt: skip
def test_the_pass_keeps_what_makes_a_batch(body: str, returned: str, expected: str) -> None:
    source = "import torch\n\n\n" + LOOP.format(body=body, returned=returned)
    target = "part" if "part" in body else "x"
    edit = Edit("closed_form_training", "a.py", "fit", {"model": "model", "target": target})
    after = apply_edits({"a.py": source.encode()}, [edit])["a.py"].decode()
    assert after.split("def fit(model, x):\n")[1] == expected + "    model.fit_closed_form()\n    return model\n"


@pytest.mark.parametrize(
    ("body", "returned"),
    [
        (
            "        loss = f(model(x), x)\n        loss.backward()\n        if loss < 1:\n            return model",
            "None",
        ),
        ("        loss = f(model(x), x)\n        loss.backward()\n        best = loss.item()", "best"),
        ("        loss = f(model(x), x)", "model"),
    ],
    ids=["returns inside", "result used", "no backward"],
)
def test_a_loop_that_cannot_go_is_refused(body: str, returned: str) -> None:
    edit = Edit("closed_form_training", "a.py", "fit", {"model": "model", "target": "x"})
    with pytest.raises(OperatorError):
        apply_edits({"a.py": LOOP.format(body=body, returned=returned).encode()}, [edit])


@pytest.mark.parametrize(
    "edit",
    [
        Edit("closed_form_model", "model.py", "DeepAutoencoder", {"width": "elsewhere", "ridge": "ACTIVATIONS"}),
        Edit("closed_form_model", "model.py", "DeepAutoencoder", {"width": "n_items", "ridge": "MISSING"}),
        Edit("closed_form_model", "model.py", "DeepAutoencoder", {"width": "n_items)", "ridge": "ACTIVATIONS"}),
        Edit("corrupt_input", "model.py", "DeepAutoencoder.forward", {"input": "y", "rate": "ACTIVATIONS"}),
        Edit("corrupt_input", "model.py", "Nothing.forward", {"input": "x", "rate": "ACTIVATIONS"}),
        Edit("multinomial_likelihood", "train.py", "fit", {"loss": "criterion(a, b)", "output": "a", "target": "b"}),
        Edit("multinomial_likelihood", "train.py", "fit", {"loss": "loss"}),
        Edit("remove_hidden_layers", "train.py", "main", {"sizes": "[1, 2]"}),
        Edit("remove_hidden_layers", "model.py", "DeepAutoencoder", {}),
        Edit("add_constant", "model.py", "", {"name": "ACTIVATIONS", "value": "1"}),
        Edit("add_constant", "model.py", "", {"name": "RATE", "value": "__import__('os')"}),
        Edit("drop_constants", "train.py", "", {"names": "EPOCHS"}),
        Edit("drop_constants", "train.py", "", {"names": "NOT_THERE"}),
    ],
)
def test_an_edit_that_does_not_fit_is_an_operator_error(edit: Edit) -> None:
    with pytest.raises(OperatorError):
        apply_edits(RECOMMENDER, [edit])


@settings(max_examples=6, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 2000), min_size=0, max_size=5),
    epochs=st.integers(1, 99),
    names=st.sampled_from([("batch", "batch"), ("batch", "rows_of_batch"), ("matrix", "all_rows")]),
)
def test_every_proposal_on_any_variant_parses(sizes: list[int], epochs: int, names: tuple[str, str]) -> None:
    train = RECOMMENDER["train.py"].decode().replace("[HIDDEN_SIZE, BOTTLENECK_SIZE, HIDDEN_SIZE]", repr(sizes))
    train = train.replace("EPOCHS = 10", f"EPOCHS = {epochs}").replace(*names)
    sources = {**RECOMMENDER, "train.py": train.encode()}
    found = proposals(sources)
    assert any("remove_hidden_layers" in operators(p) for p in found) == (len(sizes) > 1)
    for proposal in found:
        for data in apply_edits(sources, proposal.edits).values():
            ast.parse(data)


def run(folder: Path, *argv: object) -> str:
    env = {"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, *map(str, argv)]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.train
@pytest.mark.parametrize("operator", sorted(SINGLES))
def test_each_edit_trains_and_is_scored(operator: str, tmp_path: Path) -> None:
    repo, data = tmp_path / "repo", TARGET / "data"
    repo.mkdir()
    for name, source in {**RECOMMENDER, **{k: v.encode() for k, v in edited(RECOMMENDER, operator).items()}}.items():
        (repo / name).write_bytes(source.replace(b"EPOCHS = 10", b"EPOCHS = 2"))
    run(repo, "train.py", "--data", data / "train", "--out", tmp_path / "model", "--seed", 0)
    run(repo, "predict.py", "--model", tmp_path / "model", "--inputs", data / "inputs/search.npz", "--out", tmp_path)
    labels = data / "labels/search.npz"
    run(repo, "evaluate.py", "--predictions", tmp_path, "--labels", labels, "--out", tmp_path, "--nonce", "n")
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    # Recommending the most frequent items scores 0.38.
    assert metrics["ndcg@100"] > (0.7 if operator == "closed_form_model" else 0.42)
    assert metrics["nonce"] == "n"


@pytest.mark.train
@pytest.mark.parametrize("operator", sorted(SINGLES))
def test_each_edit_of_the_other_autoencoder_runs(operator: str, tmp_path: Path) -> None:
    (tmp_path / "baskets.py").write_text(edited(BASKET_FILES, operator)["baskets.py"])
    (best,) = json.loads(run(tmp_path, "baskets.py"))
    assert len(best) == 3
    if operator == "closed_form_model":
        assert best[0] == 1  # product 1 is always bought with product 0
