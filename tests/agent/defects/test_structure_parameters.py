"""Settings: options of the command line, parameters that go nowhere, keywords nobody takes, arguments changed in place."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

Program = str | Mapping[str, str]
PARSER = "import argparse\n\np = argparse.ArgumentParser()\n{}\nargs = p.parse_args()\n"
NET = (
    "from torch import nn\n\n\nclass Net(nn.Module):\n    def __init__(self, dim, dropout=0.1{more}):\n        super().__init__()\n"
    "        self.fc = nn.Linear(dim, dim)\n        self.drop = nn.Dropout(dropout)\n\n    def forward(self, x):\n        return self.drop(self.fc(x))\n"
)
PLAIN = NET.replace("{more}", "")
SWALLOWS = NET.replace("{more}", ", **kwargs")
BUILD = "\n\ndef build(dim, dropout=0.1):\n    return Net(dim)\n"
SCALE = "import torch\n\n\ndef scaled(x):\n    x /= 255\n    return x.mean()\n\n\ndef main(images):\n    a = scaled(images)\n    return a, images.mean()\n"
READS = 'lambda text: text.strip().lower() in ("1", "true", "yes", "y", "on")'


def parser(line: str) -> str:
    return PARSER.replace("{}", line)


CHANGES: dict[str, tuple[str, Program, str, str]] = {
    "a bool": ("argparse_bool", parser("p.add_argument('--amp', type=bool, default=False)"), "type=bool", f"type={READS}"),
    "a flag that is on": (
        "option_without_effect", parser("p.add_argument('--aug', action='store_true', default=True)"),
        "action='store_true'", "action=argparse.BooleanOptionalAction",
    ),
    "not handed on": ("parameter_not_forwarded", PLAIN + BUILD, "Net(dim)", "Net(dim, dropout=dropout)"),
    "misspelt": ("unknown_keyword", PLAIN + "\n\nnet = Net(64, drop_out=0.3)\n", "drop_out=", "dropout="),
    "misspelt and swallowed": ("unknown_keyword", SWALLOWS + "\n\nnet = Net(dim=64, dropuot=0.3)\n", "dropuot=", "dropout="),
    "the caller's array": ("inplace_argument", SCALE, "x /= 255", "x = x / 255"),
}  # fmt: skip


@pytest.mark.parametrize("case", CHANGES)
def test_is_mended(case: str, mended: Callable[[str, Program, Program], None]) -> None:
    detector, before, old, new = CHANGES[case]
    assert isinstance(before, str)
    assert before.count(old) == 1
    mended(detector, before, before.replace(old, new))


def test_across_files(mended: Callable[[str, Program, Program], None]) -> None:
    head = "from pkg.net import Net\n"
    files = {"pkg/net.py": PLAIN, "train.py": head + BUILD}
    mended(
        "parameter_not_forwarded",
        files,
        {**files, "train.py": (head + BUILD).replace("Net(dim)", "Net(dim, dropout=dropout)")},
    )
    wrong = {"pkg/net.py": PLAIN, "pkg/train.py": "from .net import Net\n\nnet = Net(64, drop_out=0.3)\n"}
    mended("unknown_keyword", wrong, {**wrong, "pkg/train.py": wrong["pkg/train.py"].replace("drop_out", "dropout")})


@pytest.mark.parametrize("case", ["argparse_bool", "inplace_argument", "parameter_not_forwarded"])
def test_is_safe(case: str, found: Callable[[str, Program], list[Any]]) -> None:
    """Defaults and correct inputs give what they gave."""
    (finding,) = [f for d, text, _, _ in CHANGES.values() if d == case for f in found(d, text)]
    assert finding.action == "safe"


def test_another_default_is_not_safe(found: Callable[[str, Program], list[Any]]) -> None:
    (finding,) = found("parameter_not_forwarded", PLAIN + BUILD.replace("0.1", "0.2"))
    assert finding.action == "propose"


def test_a_flag_that_is_off_is_only_told(found: Callable[[str, Program], list[Any]]) -> None:
    (finding,) = found(
        "option_without_effect", parser("p.add_argument('--strict', action='store_false', default=False)")
    )
    assert finding.action == "advise"


def test_a_setting_that_goes_nowhere_is_only_told(found: Callable[[str, Program], list[Any]]) -> None:
    text = NET.replace("{more}", ", bias=True") + "\n\nnet = Net(64, bias=False)\n"
    (finding,) = found("ignored_parameter", text)
    assert finding.action == "advise"
    assert finding.symbol == "Net.__init__"
    assert finding.evidence[0].line == text.count("\n")


def test_a_keyword_that_resembles_none_is_only_told(found: Callable[[str, Program], list[Any]]) -> None:
    (finding,) = found("unknown_keyword", PLAIN + "\n\nnet = Net(64, heads=4)\n")
    assert finding.action == "advise"


SILENT: dict[str, tuple[str, Program]] = {
    "an int": ("argparse_bool", parser("p.add_argument('--n', type=int)")),
    "a flag": ("argparse_bool", parser("p.add_argument('--amp', action='store_true')")),
    "a reader of one's own": ("argparse_bool", parser("p.add_argument('--amp', type=str2bool)")),
    "click": ("argparse_bool", "import click\n\n\n@click.option('--amp', type=bool)\ndef main(amp):\n    pass\n"),
    "off by default": ("option_without_effect", parser("p.add_argument('--aug', action='store_true', default=False)")),
    "a pair of flags": ("option_without_effect", parser("p.add_argument('--aug', action='store_true', default=True)\np.add_argument('--no-aug', dest='aug', action='store_false')")),
    "set elsewhere": ("option_without_effect", parser("p.add_argument('--aug', action='store_true', default=True)\np.set_defaults(aug=False)")),
    "handed on": ("parameter_not_forwarded", PLAIN + BUILD.replace("Net(dim)", "Net(dim, dropout=dropout)")),
    "handed on by place": ("parameter_not_forwarded", PLAIN + BUILD.replace("Net(dim)", "Net(dim, dropout)")),
    "handed on by a star": ("parameter_not_forwarded", PLAIN + BUILD.replace("Net(dim)", "Net(**locals())")),
    "read": ("parameter_not_forwarded", PLAIN + BUILD.replace("return", "print(dropout)\n    return")),
    "said to be unused": ("parameter_not_forwarded", PLAIN + BUILD.replace("    return", "    # dropout is deprecated\n    return")),
    "no such parameter inside": ("parameter_not_forwarded", PLAIN + BUILD.replace("dropout=0.1", "depth=2")),
    "the name of another library's": ("parameter_not_forwarded", {"net.py": PLAIN, "train.py": "from lib import Net\n" + BUILD}),
    "two of that name": ("parameter_not_forwarded", PLAIN + "\n\ndef Net(dim, dropout=0.1):\n    return dim, dropout\n" + BUILD),
    "an override": ("parameter_not_forwarded", "class Base:\n    def make(self, a=1):\n        return a\n\n\nclass Mine(Base):\n    def make(self, a=1):\n        return inner()\n\n\ndef inner(a=1):\n    return a\n"),
    "never set": ("ignored_parameter", NET.replace("{more}", ", bias=True") + "\n\nnet = Net(64)\n"),
    "set to its default": ("ignored_parameter", NET.replace("{more}", ", bias=True") + "\n\nnet = Net(64, bias=True)\n"),
    "saved by Lightning": ("ignored_parameter", NET.replace("{more}", ", bias=True").replace("        self.fc", "        self.save_hyperparameters()\n        self.fc") + "\n\nnet = Net(64, bias=False)\n"),
    "an interface": ("ignored_parameter", "class A:\n    def run(self, x, mask=None):\n        return x\n\n\nclass B:\n    def run(self, x, mask=None):\n        return x if mask is None else x * mask\n\n\nB().run(1, mask=2)\n"),
    "known": ("unknown_keyword", PLAIN + "\n\nnet = Net(dim=64, dropout=0.3)\n"),
    "kwargs that are read": ("unknown_keyword", SWALLOWS.replace("        self.fc", "        self.extra = kwargs\n        self.fc") + "\n\nnet = Net(dim=64, drop_out=0.3)\n"),
    "swallowed, like no other": ("unknown_keyword", SWALLOWS + "\n\nnet = Net(dim=64, heads=3)\n"),
    "another library's class": ("unknown_keyword", {"net.py": PLAIN, "train.py": "from lib import Net\n\nnet = Net(64, drop_out=0.3)\n"}),
    "a decorated class": ("unknown_keyword", "from dataclasses import dataclass\n\n\n@dataclass\nclass C:\n    a: int\n\n    def __init__(self, b):\n        self.a = b\n\n\nC(c=1)\n"),
    "an inherited constructor": ("unknown_keyword", PLAIN + "\n\nclass Wide(Net, Other):\n    pass\n\n\nnet = Wide(64, heads=2)\n"),
    "an attribute of that name": ("unknown_keyword", "class A:\n    def __init__(self, draw):\n        self.draw = draw\n\n    def run(self, seed):\n        def draw():\n            return self.draw(seed=seed)\n\n        return draw()\n"),
    "a parameter called cls": ("unknown_keyword", "def make(cls, idx):\n    return cls(idx)\n\n\nmake(cls=int, idx=1)\n"),
    "bound twice": ("unknown_keyword", PLAIN + "\n\ntry:\n    from fast import Net\nexcept ImportError:\n    pass\nnet = Net(64, heads=2)\n"),
    "bound anew": ("inplace_argument", SCALE.replace("    x /=", "    x = x.clone()\n    x /=")),
    "not used again": ("inplace_argument", SCALE.replace("a, images.mean()", "a")),
    "set to the result": ("inplace_argument", SCALE.replace("a = scaled", "images = scaled").replace("return a,", "return")),
    "for the change": ("inplace_argument", SCALE.replace("    return x.mean()", "    x.mean()")),
    "a number": ("inplace_argument", SCALE.replace("x.mean()", "x", 1)),
    "said to be in place": ("inplace_argument", SCALE.replace("scaled", "scale_")),
}  # fmt: skip


@pytest.mark.parametrize("case", SILENT)
def test_is_silent(case: str, found: Callable[[str, Program], list[Any]]) -> None:
    assert found(*SILENT[case]) == []
