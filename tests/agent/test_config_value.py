"""Setting one value of a configuration file: comments, layout and every other value stay."""

import json
import tomllib
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from branchlab.agent.configs.scalar import ConfigError
from branchlab.agent.configs.text import parse_config, read_config
from branchlab.agent.configs.yaml_text import yaml_scalars
from branchlab.agent.operators import OPERATORS
from branchlab.agent.operators.config_value import SetConfigValue
from branchlab.targets.errors import OperatorError

YAML = """# settings of the é run
optim:   {lr: 1e-3, momentum: 0.9}   # flow
model:
    # indented by four
    hidden:    64
    kind: mlp
    bias: yes
    activation: "relu"   # quoted
    betas:
      - 0.9
      - 0.999
seed: 3
base: &base
  dropout: 0.1
other:
  <<: *base
  again: *base
text: |
  dropout: 0.5
"""

TOML = """# settings
epochs = 1_0
"odd=key" = 1
[optim]  # table
lr = 1e-3     # comment = 2
note = 'a # b'
optim.deep = 5
nested = {a = 1}
long = \"\"\"
lr = 7
[optim]
\"\"\"
[[layer]]
width = 64
[[layer]]
width = 32
"""

JSON = '{"train" : {"lr": 1e-3,\t"sizes": [64, 32]},\n "bias": true, "kind": "mlp", "seed": 1}\n'


def set_to(text: str, symbol: str, value: str) -> str:
    return SetConfigValue().apply_text(text, symbol, {"value": value})


def test_it_is_in_the_table() -> None:
    assert isinstance(OPERATORS["set_config_value"], SetConfigValue)


@pytest.mark.parametrize(
    ("text", "symbol", "value", "before", "after"),
    [
        (YAML, "optim.lr", "0.01", "lr: 1e-3,", "lr: 0.01,"),
        (YAML, "optim.lr", "1e-05", "lr: 1e-3,", "lr: 1e-05,"),
        (YAML, "optim.momentum", "1e-05", "momentum: 0.9}", "momentum: 1.0e-05}"),
        (YAML, "model.hidden", "128", "hidden:    64", "hidden:    128"),
        (YAML, "model.kind", "'cnn'", "kind: mlp", "kind: cnn"),
        (YAML, "model.kind", "'true'", "kind: mlp", 'kind: "true"'),
        (YAML, "model.bias", "False", "bias: yes", "bias: no"),
        (YAML, "model.activation", "'tanh'", '"relu"', '"tanh"'),
        (YAML, "model.betas[1]", "0.99", "- 0.999", "- 0.99"),
        (TOML, "epochs", "20", "epochs = 1_0", "epochs = 20"),
        (TOML, "optim.lr", "1e-05", "lr = 1e-3 ", "lr = 1e-05 "),
        (TOML, "optim.note", "'c'", "'a # b'", "'c'"),
        (TOML, "optim.optim.deep", "6", "deep = 5", "deep = 6"),
        (TOML, "layer[1].width", "16", "width = 32", "width = 16"),
        (JSON, "train.lr", "0.01", '"lr": 1e-3', '"lr": 0.01'),
        (JSON, "train.sizes[1]", "16", "64, 32", "64, 16"),
        (JSON, "bias", "False", "true", "false"),
        (JSON, "kind", "'a\"b'", '"mlp"', '"a\\"b"'),
    ],
)
def test_only_the_value_changes(text: str, symbol: str, value: str, before: str, after: str) -> None:
    assert text.count(before) == 1
    assert set_to(text, symbol, value) == text.replace(before, after)


def test_yaml_keeps_a_number_a_number() -> None:
    assert yaml.safe_load(set_to("momentum: 0.9\n", "momentum", "1e-05")) == {"momentum": 1e-05}


@pytest.mark.parametrize(
    ("text", "symbol", "value", "why"),
    [
        (YAML, "nope", "1", "no such value"),
        (YAML, "seed", "4", "part of the measurement"),
        (JSON, "seed", "4", "part of the measurement"),
        (YAML, "model.hidden", "1.5", "another type"),
        (YAML, "model.hidden", "True", "another type"),
        (YAML, "model.bias", "1", "another type"),
        (YAML, "model.kind", "1", "another type"),
        (YAML, "model.hidden", "64\nseed: 4", "not one literal"),
        (YAML, "model.kind", "'64\\nseed: 4'", ""),
        (YAML, "model.hidden", "64", "nothing would change"),
        (TOML, "optim.nested.a", "2", "no such value"),
        ("- [\n", "x", "1", "not a configuration file"),
        ("{" * 500, "x", "1", "not a configuration file"),
    ],
)
def test_everything_else_is_refused_or_harmless(text: str, symbol: str, value: str, why: str) -> None:
    if not why:  # a string that would be structure if it were written bare: it has to arrive quoted
        assert yaml.safe_load(set_to(text, symbol, value)) | {"model": 0} == yaml.safe_load(text) | {"model": 0}
        return
    with pytest.raises(OperatorError, match=why):
        set_to(text, symbol, value)


def test_a_value_behind_an_alias_is_found_once_where_it_stands() -> None:
    keys = {scalar.key for scalar in yaml_scalars(YAML)}
    assert "base.dropout" in keys
    assert not any(key.startswith("other.") for key in keys)


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\n"
        + "".join(f"c{i}: &c{i} [{', '.join(['*b'] * 9)}]\n" for i in range(50)),
        "a: " + "[" * 5_000,
        "- " * 3_000,
        "a: !!python/object/apply:os.system ['true']\n",
        "x: 2001-99-99\n",
        "\x00",
    ],
    ids=["laughs", "brackets", "dashes", "object", "date", "nul"],
)
def test_hostile_yaml_neither_hangs_nor_runs(text: str) -> None:
    try:
        found = parse_config(text, yaml_scalars).scalars
    except ConfigError:
        return
    assert len(found) < 100


@pytest.mark.parametrize("file", ["a.yaml", "a.toml", "a.json"])
def test_what_is_no_configuration_is_refused(file: str) -> None:
    for data in (b"\xff\xfe", b"x" * 300_000):
        with pytest.raises(ConfigError):
            read_config(file, data)


NAMES = st.text("abcxyz_", min_size=1, max_size=6)
SCALARS = st.one_of(
    st.integers(-(10**9), 10**9), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.text(max_size=12)
)
DOCUMENTS = st.recursive(
    st.dictionaries(NAMES, SCALARS, min_size=1, max_size=4),
    lambda inner: st.dictionaries(
        NAMES, st.one_of(SCALARS, inner, st.lists(SCALARS, max_size=3)), min_size=1, max_size=4
    ),
    max_leaves=8,
)


@given(DOCUMENTS)
def test_json_scalars_are_where_they_say(document: dict[str, Any]) -> None:
    text = json.dumps(document, indent=1)
    for scalar in read_config("a.json", text.encode()).scalars.values():
        assert json.loads(text[scalar.start : scalar.end]) == scalar.value
        found: Any = document
        for part in scalar.path:
            found = found[part]
        assert found == scalar.value


@given(st.sampled_from(["optim.momentum", "model.hidden", "model.betas[0]"]), st.integers(1, 10**6))
def test_yaml_there_and_back_is_identical(key: str, number: int) -> None:
    config = parse_config(YAML, yaml_scalars)
    scalar = config.scalars[key]
    old = YAML[scalar.start : scalar.end]
    new = repr(number) if isinstance(scalar.value, int) else repr(number / 1e7)
    if new == old:
        return
    changed = set_to(YAML, key, new)
    assert set_to(changed, key, old) == YAML
    assert {k: s.value for k, s in parse_config(changed, yaml_scalars).scalars.items() if k != key} == {
        k: s.value for k, s in config.scalars.items() if k != key
    }


@given(st.floats(min_value=1e-12, max_value=1e12))
def test_toml_holds_any_float(value: float) -> None:
    assert tomllib.loads(set_to(TOML, "optim.lr", repr(value)))["optim"]["lr"] == value if value != 1e-3 else True
