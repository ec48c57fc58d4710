"""Signatures of installed packages, read from files."""

from pathlib import Path

import pytest

from branchlab.agent.code_map import CodeMap
from branchlab.agent.operators.apply import apply_edits
from branchlab.agent.proposers.defects import find_defects
from branchlab.agent.proposers.defects.signatures import Signatures

PACKAGE = {
    "lib/__init__.py": "from .layers import *\nfrom .layers import Dense as Linear\nfrom . import layers as nn\nraise SystemExit\n",
    "lib/layers.py": (
        "class Base:\n    def __init__(self, width, bias=True):\n        pass\n\n\n"
        "class Dense(Base):\n    pass\n\n\n"
        "class Open:\n    def __init__(self, width, **options):\n        pass\n\n\n"
        "class Made(metaclass=type):\n    def __init__(self, a):\n        pass\n\n\n"
        "def flat(x, /, y, *, axis=0):\n    pass\n\n\n"
        "@cached\ndef wrapped(x):\n    pass\n\n\n"
        "if fast:\n    def either(a):\n        pass\nelse:\n    def either(b):\n        pass\n\n\n"
        "loop = loop\n"
    ),
    "lib/circle.py": "from .circle import turn\n",
    "lib/broken.py": "def (",
}


@pytest.fixture
def environment(tmp_path: Path) -> tuple[Path]:
    for name, text in PACKAGE.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return (tmp_path,)


@pytest.mark.parametrize(
    ("dotted", "keywords"),
    [
        ("lib.layers.Base", {"width", "bias"}),
        ("lib.layers.Dense", {"width", "bias"}),
        ("lib.Linear", {"width", "bias"}),
        ("lib.Dense", {"width", "bias"}),
        ("lib.layers.flat", {"y", "axis"}),
        ("lib.nn.flat", {"y", "axis"}),
    ],
)
def test_keywords(dotted: str, keywords: set[str], environment: tuple[Path]) -> None:
    signature = Signatures(environment).of(dotted)
    assert signature is not None
    assert signature.keywords == keywords
    assert not signature.takes_any


def test_any_keyword(environment: tuple[Path]) -> None:
    signature = Signatures(environment).of("lib.layers.Open")
    assert signature is not None
    assert signature.takes_any


@pytest.mark.parametrize(
    "dotted",
    [
        "lib", "lib.layers.Made", "lib.layers.wrapped", "lib.layers.either", "lib.layers.loop", "lib.layers.Base.run",
        "lib.circle.turn", "lib.broken.f", "lib.absent", "other.f", "..f", "lib..f",
    ],
)  # fmt: skip
def test_what_is_not_certain_has_none(dotted: str, environment: tuple[Path]) -> None:
    assert Signatures(environment).of(dotted) is None
    assert Signatures().of(dotted) is None


def test_a_keyword_an_installed_class_does_not_take(environment: tuple[Path]) -> None:
    text = b"import lib\nfrom lib import Open\n\nnet = lib.Linear(4, bais=False)\nother = Open(4, bais=False)\n"
    code = CodeMap("0" * 40, {"train.py": text})
    assert not find_defects(code)
    (finding,) = find_defects(code, environment)
    assert (finding.detector, finding.line) == ("unknown_keyword", 4)
    after = apply_edits(code.sources, finding.edits)["train.py"]
    assert after == text.replace(b"Linear(4, bais", b"Linear(4, bias")
    assert not find_defects(CodeMap("0" * 40, {"train.py": after}), environment)


def test_the_programs_own_module_comes_first(environment: tuple[Path]) -> None:
    code = CodeMap(
        "0" * 40, {"lib.py": b"def flat(x, z=1):\n    return x\n", "train.py": b"import lib\n\nlib.flat(1, z=2)\n"}
    )
    assert not [f for f in find_defects(code, environment) if f.detector == "unknown_keyword"]
