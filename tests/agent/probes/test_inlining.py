"""Expressions written anew so that they can be evaluated alone; nothing of the target runs."""

import ast
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from branchlab.agent.probes.arguments import Options
from branchlab.agent.probes.facts import Unsettled
from branchlab.agent.probes.inlining import ASSUMED_SIZE, Inliner
from branchlab.agent.probes.reader import Reader
from branchlab.agent.proposers.defects import Program
from branchlab.agent.read import read_code

HEAD = "import argparse\nimport torch\nfrom torch import nn\nfrom elsewhere import Net\n"


def program(**files: str) -> Program:
    return Program.of(read_code("0" * 40, {f"{name}.py": text.encode() for name, text in files.items()}))


def inlined(text: str, **files: str) -> tuple[str, list[str]]:
    """What the argument of the call `Net(...)` in `train.py` is written as, and what was assumed."""
    read = program(train=text, **files)
    inliner = Inliner(read, Options(read))
    for function in read.functions:
        for call in function.calls:
            if isinstance(call.func, ast.Name) and call.func.id == "Net":
                made = ast.parse(inliner.text(call, function), mode="eval").body
                assert isinstance(made, ast.Call)
                return ", ".join([ast.unparse(a) for a in made.args] + [f"{k.arg}={ast.unparse(k.value)}" for k in made.keywords]), inliner.assumed  # fmt: skip
    raise AssertionError("no Net(...)")


def test_locals_options_and_parameters_are_followed_to_their_values() -> None:
    text = HEAD + (
        "WIDTH = 8\n"
        "def main():\n"
        "    parser = argparse.ArgumentParser()\n"
        "    parser.add_argument('--n-layers', type=int, default=3)\n"
        "    parser.add_argument('--bias', action='store_true')\n"
        "    args = parser.parse_args()\n"
        "    build(args, 0.5)\n"
        "def build(args, rate, scale=2):\n"
        "    width = WIDTH * scale\n"
        "    return Net(width, args.n_layers, rate, bias=args.bias)\n"
    )
    assert inlined(text) == ("_of('train.py', 'WIDTH') * 2, 3, 0.5, bias=False", [])


def test_a_size_that_only_the_data_tells_is_assumed_and_said() -> None:
    text = HEAD + "def main():\n    x = torch.load('x.pt')\n    net = Net(x.shape[1], classes=len(set(x.tolist())))\n"
    found, assumed = inlined(text)
    assert found == f"{ASSUMED_SIZE}, classes={ASSUMED_SIZE}"
    assert len(assumed) == 2


def test_a_length_of_something_written_in_the_code_is_not_assumed() -> None:
    assert inlined(HEAD + "def main():\n    names = ['a', 'b', 'c']\n    net = Net(len(names))\n") == ("len(['a', 'b', 'c'])", [])  # fmt: skip


@pytest.mark.parametrize("argument", ["unknown(path)", "self.width", "args.path", "given"])
def test_what_only_the_running_script_knows_is_said_and_not_guessed(argument: str) -> None:
    text = HEAD + (
        "class A:\n    def make(self, given):\n        parser = argparse.ArgumentParser()\n"
        "        parser.add_argument('--path', required=True)\n        args = parser.parse_args()\n"
        f"        path = args.path\n        return Net({argument})\n"
    )
    with pytest.raises(Unsettled):
        inlined(text)


LITERALS = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.floats(-1e6, 1e6) | st.text("ab_'\"\\n", max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=6,
)


@given(LITERALS, st.integers(0, 4))
def test_a_literal_is_the_same_however_many_names_lead_to_it(value: Any, steps: int) -> None:
    lines = [f"    v0 = {value!r}"] + [f"    v{i + 1} = v{i}" for i in range(steps)]
    text = HEAD + "def main():\n" + "\n".join(lines) + f"\n    net = Net(v{steps})\n"
    found, assumed = inlined(text)
    assert ast.literal_eval(found) == value
    assert assumed == []


def test_names_that_lead_to_themselves_end() -> None:
    text = HEAD + "def main():\n    a = b\n    b = a\n    net = Net(a)\n"
    with pytest.raises(Unsettled):
        inlined(text)


def test_the_words_of_the_train_command_come_before_defaults() -> None:
    read = program(train=HEAD + "p = argparse.ArgumentParser()\np.add_argument('--width', type=int, default=3)\n")
    given_words = Options(read, ("python", "train.py", "--width", "9")).default("width")
    assert ast.unparse(given_words) == "9"
    assert ast.unparse(Options(read).default("width")) == "3"


def test_a_model_that_is_built_nowhere_is_no_recipe() -> None:
    reader = Reader(program(train=HEAD + "print('no model here')\n"))
    assert reader.recipe["model"] == ""
    assert "no place was found" in reader.recipe["why"]
