"""The kind of an edit is what its syntax tree says, not what its proposer says."""

import pytest

from branchlab.agent.checks import prove_kind
from branchlab.agent.proposal import Kind

MODEL = "class Net(nn.Module):\n    def __init__(self):\n        self.fc = nn.Linear(8, 4)\n    def forward(self, x):\n        return self.fc(x)\n"
LONG = "Answer the question using the context you are given. Return a short list of names and nothing else."


def kind(before: str, after: str, claimed: Kind, file: str = "a.py") -> Kind:
    return prove_kind({file: before.encode()}, {file: after.encode()}, claimed)


@pytest.mark.parametrize("claimed", ["bug_fix", "architecture", "prompt", "data", "hyperparameter"])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("lr = 0.1", "lr = 0.2"),
        ("lr = 1", "lr = -1"),
        ("lr = 1", "lr = 1.0"),
        ("f(x, shuffle=False)", "f(x, shuffle=True)"),
        ("act = 'relu'", "act = 'tanh'  # better"),
        ("a = [64, 64]\nb = None", "a = [64, 32]\nb = 3"),
        ("print(f'{x} done')", "print(f'{x} is done')"),
        (MODEL, MODEL.replace("8", "16")),
    ],
)
def test_literals_that_move_are_tuning_whatever_is_claimed(before: str, after: str, claimed: Kind) -> None:
    assert kind(before, after, claimed) == "hyperparameter"


@pytest.mark.parametrize("claimed", ["bug_fix", "architecture", "data"])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("lr = 0.1", "lr = 0.1 * 2"),
        ("a = [64, 64]", "a = [64]"),
        ("f(x)", "f(x, shuffle=True)"),
        ("opt.step()", "opt.zero_grad()\nopt.step()"),
        ("loss = mse(x)", "loss = mae(x)"),
        (MODEL, MODEL.replace("self.fc(x)", "self.fc(x) + x")),
    ],
)
def test_structure_that_changes_is_as_claimed(before: str, after: str, claimed: Kind) -> None:
    assert kind(before, after, claimed) == claimed


def test_what_claims_to_be_tuning_and_is_not() -> None:
    assert kind("opt.step()", "opt.zero_grad()\nopt.step()", "hyperparameter") == "bug_fix"
    assert kind(MODEL, MODEL.replace("self.fc(x)", "self.fc(x).relu()"), "hyperparameter") == "architecture"
    assert kind(MODEL, MODEL.replace("self.fc(x)", "self.fc(x).relu()"), "prompt") == "architecture"


@pytest.mark.parametrize("claimed", ["prompt", "hyperparameter", "bug_fix"])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"P = {LONG!r}", f"P = {LONG + ' Use full dates.'!r}"),
        ("ask(prompt='Be brief.')", "ask(prompt='Be very brief.')"),
        (f"P = f'''{LONG} {{x}}'''", f"P = f'''{LONG} Think first. {{x}}'''"),
    ],
)
def test_prompts_that_change_are_prompts(before: str, after: str, claimed: Kind) -> None:
    assert kind(before, after, claimed) == "prompt"


def test_a_prompt_and_a_number_together_are_not_wording_alone() -> None:
    assert kind(f"P = {LONG!r}\nk = 3", f"P = {LONG + ' Think.'!r}\nk = 5", "prompt") == "hyperparameter"


def test_a_prompt_that_gains_a_field_stays_a_prompt() -> None:
    assert kind(f"P = f'''{LONG} {{x}}'''", f"P = f'''{LONG} On {{day}}: {{x}}'''", "prompt") == "prompt"


def test_configuration() -> None:
    assert kind("lr: 0.1\n", "lr: 0.2\n", "bug_fix", "c.yaml") == "hyperparameter"
    assert kind("lr: 0.1\n", "lr: 0.1\nwd: 1\n", "data", "c.yaml") == "data"
    assert kind('{"a": [1]}', '{"a": [2]}', "bug_fix", "c.json") == "hyperparameter"
    assert kind("a = 1\n", "a = 2\n", "bug_fix", "c.toml") == "hyperparameter"
    assert kind("system_prompt: Be brief.\n", "system_prompt: Be kind.\n", "bug_fix", "c.yaml") == "prompt"
    assert kind("a: [1\n", "a: 1\n", "bug_fix", "c.yaml") == "bug_fix"


def test_prompt_files_and_new_files() -> None:
    assert kind("Be brief.", "Be kind.", "bug_fix", "prompts/system_prompt.txt") == "prompt"
    assert prove_kind({"a.py": None}, {"a.py": b"x = 1"}, "data") == "data"
    assert prove_kind({"a.py": b"x = ("}, {"a.py": b"x = 1"}, "hyperparameter") == "bug_fix"


def test_a_literal_here_and_structure_there_is_structure() -> None:
    before = {"a.py": b"lr = 1", "b.py": b"f(x)"}
    after = {"a.py": b"lr = 2", "b.py": b"f(g(x))"}
    assert prove_kind(before, after, "architecture") == "architecture"
