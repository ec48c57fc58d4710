"""Results thrown away, comparisons with NaN, objects that several owners share, keys that lose letters."""

from collections.abc import Callable

import pytest

Mended = Callable[[str, str, str], None]
Found = Callable[[str, str], list[object]]

DEFECTS = {
    "nan, equal": (
        "compared_with_nan",
        "import numpy as np\n\ndef rows(x):\n    return x[x[:, 0] == np.nan]\n",
        "import numpy as np\n\ndef rows(x):\n    return x[np.isnan(x[:, 0])]\n",
    ),
    "nan, not equal": (
        "compared_with_nan",
        "import numpy as np\n\ndef rows(x):\n    keep = x != np.nan  # complete ones\n    return x[keep]\n",
        "import numpy as np\n\ndef rows(x):\n    keep = np.logical_not(np.isnan(x))  # complete ones\n    return x[keep]\n",
    ),
    "nan, pandas": (
        "compared_with_nan",
        'import numpy as np\nimport pandas as pd\n\ndf = pd.read_csv("a.csv")\nbad = df["age"] == np.nan\n',
        'import numpy as np\nimport pandas as pd\n\ndf = pd.read_csv("a.csv")\nbad = pd.isna(df["age"])\n',
    ),
    "nan, a number": (
        "compared_with_nan",
        'def is_bad(loss):\n    if loss == float("nan"):\n        return True\n    return False\n',
        "def is_bad(loss):\n    if loss != loss:\n        return True\n    return False\n",
    ),
    "dropped rows": (
        "dropped_result",
        "import pandas as pd\n\ndef load(path):\n    df = pd.read_csv(path)\n    df.dropna()\n    return df\n",
        "import pandas as pd\n\ndef load(path):\n    df = pd.read_csv(path)\n    df = df.dropna()\n    return df\n",
    ),
    "dropped column": (
        "dropped_result",
        'def load(df):\n    df.drop(columns=["id"])  # no feature\n    return df\n',
        'def load(df):\n    df = df.drop(columns=["id"])  # no feature\n    return df\n',
    ),
    "dropped append": (
        "dropped_result",
        "import numpy as np\n\ndef go(scores, s):\n    np.append(scores, s)\n    return scores.mean()\n",
        "import numpy as np\n\ndef go(scores, s):\n    scores = np.append(scores, s)\n    return scores.mean()\n",
    ),
    "dropped shuffle": (
        "dropped_result",
        'from datasets import load_dataset\n\nds = load_dataset("imdb")["train"]\nds.shuffle(seed=1)\n',
        'from datasets import load_dataset\n\nds = load_dataset("imdb")["train"]\nds = ds.shuffle(seed=1)\n',
    ),
    "dropped permute": (
        "dropped_result",
        "import torch\n\ndef swap(outputs):\n    if outputs.dim() == 2:\n        outputs.permute(1, 0)\n    return outputs\n",
        "import torch\n\ndef swap(outputs):\n    if outputs.dim() == 2:\n        outputs = outputs.permute(1, 0)\n    return outputs\n",
    ),
    "chained, frame": (
        "chained_assignment",
        'def clip(df):\n    df[df["a"] > 1]["b"] = 0\n    return df\n',
        'def clip(df):\n    df.loc[df["a"] > 1, "b"] = 0\n    return df\n',
    ),
    "chained, in place": (
        "chained_assignment",
        'def clip(df):\n    df[(df.a > 1) & (df.c < 2)]["b"] += 1\n    return df\n',
        'def clip(df):\n    df.loc[(df.a > 1) & (df.c < 2), "b"] += 1\n    return df\n',
    ),
    "default list": (
        "mutable_default",
        'def train(x, losses=[]):\n    """Trains."""\n    losses.append(f(x))\n    return losses\n',
        'def train(x, losses=None):\n    """Trains."""\n    if losses is None:\n        losses = []\n    losses.append(f(x))\n'
        "    return losses\n",
    ),
    "default dict": (
        "mutable_default",
        "def train(x, *, stats={}, n=[]):\n    stats[x] = []\n    return stats, n\n",
        "def train(x, *, stats=None, n=[]):\n    if stats is None:\n        stats = {}\n    stats[x] = []\n    return stats, n\n",
    ),
    "the second of two defaults": (
        "mutable_default",
        "def train(x, a=[], b=[]):\n    b.append([])\n    return a, b\n",
        "def train(x, a=[], b=None):\n    if b is None:\n        b = []\n    b.append([])\n    return a, b\n",
    ),
    "default kept by an object": (
        "mutable_default",
        "class History:\n    def __init__(self, rows=[]):\n        self.rows = rows\n\n    def add(self, row):\n"
        "        self.rows.append(row)\n",
        "class History:\n    def __init__(self, rows=None):\n        if rows is None:\n            rows = []\n"
        "        self.rows = rows\n\n    def add(self, row):\n        self.rows.append(row)\n",
    ),
    "shallow copy": (
        "shallow_defaults",
        'DEFAULTS = {"optim": {"lr": 0.1}, "n": 1}\n\ndef make(lr):\n    config = DEFAULTS.copy()\n'
        '    config["optim"]["lr"] = lr\n    return config\n',
        'import copy\nDEFAULTS = {"optim": {"lr": 0.1}, "n": 1}\n\ndef make(lr):\n    config = copy.deepcopy(DEFAULTS)\n'
        '    config["optim"]["lr"] = lr\n    return config\n',
    ),
    "shallow copy of a class's list": (
        "shallow_defaults",
        'import copy\n\nclass Run:\n    base = {"layers": [64]}\n\n    def make(self, n):\n        c = dict(self.base)\n'
        '        c["layers"].append(n)\n        return c\n',
        'import copy\n\nclass Run:\n    base = {"layers": [64]}\n\n    def make(self, n):\n        c = copy.deepcopy(self.base)\n'
        '        c["layers"].append(n)\n        return c\n',
    ),
    "rows of one list": (
        "shared_rows",
        "def by_class(y, n):\n    rows = [[]] * n\n    for i, c in enumerate(y):\n        rows[c].append(i)\n    return rows\n",
        "def by_class(y, n):\n    rows = [[] for _ in range(n)]\n    for i, c in enumerate(y):\n        rows[c].append(i)\n"
        "    return rows\n",
    ),
    "keys of one list": (
        "shared_rows",
        "def by_class(y, names):\n    rows = dict.fromkeys(names, [])\n    for i, c in y:\n        rows[c].append(i)\n    return rows\n",
        "def by_class(y, names):\n    rows = {key: [] for key in names}\n    for i, c in y:\n        rows[c].append(i)\n    return rows\n",
    ),
    "a table of one row": (
        "shared_rows",
        "class Table:\n    def __init__(self, n):\n        self.t = [[0] * n] * n\n\n    def put(self, i, j):\n        self.t[i][j] = 1\n",
        "class Table:\n    def __init__(self, n):\n        self.t = [[0] * n for _ in range(n)]\n\n    def put(self, i, j):\n"
        "        self.t[i][j] = 1\n",
    ),
    "prefix": (
        "stripped_keys",
        'def clean(state):\n    return {k.lstrip("module."): v for k, v in state.items()}\n',
        'def clean(state):\n    return {k.removeprefix("module."): v for k, v in state.items()}\n',
    ),
    "suffix": (
        "stripped_keys",
        "def stem(path):\n    return path.name.rstrip('.pth')\n",
        "def stem(path):\n    return path.name.removesuffix('.pth')\n",
    ),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_mended(name: str, mended: Mended) -> None:
    mended(*DEFECTS[name])


CLEAN = [
    ("compared_with_nan", "import numpy as np\nbad = np.isnan(x)\nsame = x is np.nan\nodd = x != x\nok = x == np.inf\n"),
    ("compared_with_nan", 'def f(x):\n    return x == "nan" or x == float("inf") or x != float(y)\n'),
    ("dropped_result", "import pandas as pd\ndf.dropna(inplace=True)\ndf.drop(columns='a', inplace=True)\ndf.sort_values('a', **kw)\n"),
    ("dropped_result", "import os\nfrom pathlib import Path\nos.rename(a, b)\npath.rename(b)\npath.replace(b)\nos.replace(a, b)\n"),
    ("dropped_result", "import torch\nmodel.to('cuda')\nx.clamp_(0)\nx.squeeze_(0)\npool.map(f, xs)\nnet.half()\n"),
    ("dropped_result", "import torch\nclass Box:\n    def clamp(self, lo):\n        self.x = lo\ndef go(box):\n    box.clamp(1)\n"),
    ("dropped_result", "import numpy as np\nnp.clip(x, 0, 1, out=x)\nnp.random.shuffle(x)\nx.sort()\nxs.append(1)\nxs.insert(0, 1)\n"),
    ("dropped_result", "import torch\ndef test(x):\n    with raises(ValueError):\n        x.permute(1, 0)\n    try:\n"
                       "        x.unsqueeze(3)\n    except IndexError:\n        return None\n"),
    ("chained_assignment", 'def f(d, k, df):\n    d[k]["b"] = 0\n    d["a"]["b"] = 1\n    d[0][1] = 2\n    df.loc[df.a > 1, "b"] = 0\n'),
    ("chained_assignment", 'def f(x, i, j):\n    x[1:3]["b"] = 0\n    x[i][j] = 1\n    x[:, 0][x[:, 1] > 0] = 0\n'),
    ("mutable_default", "def f(x, sizes=[64, 64], opts={}):\n    n = len(sizes)\n    return [x, *sizes], dict(opts), n\n"),
    ("mutable_default", "def f(x, rows=None, seen=set(), _cache={}):\n    rows = rows or []\n    rows.append(x)\n    seen.add(x)\n    _cache[x] = 1\n"),
    ("mutable_default", "def f(x, rows=[]):\n    rows = list(rows)\n    rows.append(x)\n    return rows\n"),
    ("mutable_default", "class A:\n    def __init__(self, rows=[]):\n        self.rows = list(rows)\n\n    def add(self, r):\n        self.rows.append(r)\n"),
    ("shallow_defaults", 'D = {"lr": 0.1, "n": 2}\n\ndef f(lr):\n    c = D.copy()\n    c["lr"] = lr\n    return c\n'),
    ("shallow_defaults", 'D = {"o": {"lr": 1}}\n\ndef f(lr):\n    c = D.copy()\n    c["o"] = dict(c["o"])\n    c["o"]["lr"] = lr\n    return c\n'),
    ("shallow_defaults", 'import copy\nD = {"o": {"lr": 1}}\n\ndef f(lr):\n    c = copy.deepcopy(D)\n    c["o"]["lr"] = lr\n    return c\n'),
    ("shallow_defaults", 'D = {"o": {"lr": 1}}\n\ndef f(D):\n    c = D.copy()\n    c["o"]["lr"] = 1\n    return c\n'),
    ("shared_rows", "def f(n):\n    rows = [0] * n\n    rows[0] = 1\n    names = [''] * n\n    pads = [[0]] * n\n    return rows + pads\n"),
    ("shared_rows", "def f(n, x):\n    rows = [[]] * n\n    for i in range(n):\n        rows[i] = [x]\n        rows[i].append(i)\n    return rows\n"),
    ("shared_rows", "def f(names):\n    counts = dict.fromkeys(names, 0)\n    counts['a'] += 1\n    return counts\n"),
    ("stripped_keys", 'a = s.strip()\nb = s.lstrip("0123456789")\nc = s.rstrip("\\n\\t ")\nd = s.strip("[](){}")\ne = s.rstrip("px")\n'),
    ("stripped_keys", 'a = s.removeprefix("module.")\nb = s.lstrip(prefix)\nc = s.rstrip("abcdefghijklmnopqrstuvwxyz")\nd = s.lstrip("./")\n'),
    ("unseen_missing_keys", 'r = net.load_state_dict(s, strict=False)\nprint(r.missing_keys)\nnet.load_state_dict(s)\nnet.load_state_dict(s, strict=strict)\n'),
]  # fmt: skip


@pytest.mark.parametrize(("detector", "program"), CLEAN)
def test_silent(detector: str, program: str, found: Found) -> None:
    assert found(detector, program) == []


def test_keys_that_nobody_looks_at_are_told(found: Found) -> None:
    (finding,) = found("unseen_missing_keys", "def load(net, state):\n    net.load_state_dict(state, strict=False)\n")
    assert finding.action == "advise"  # type: ignore[attr-defined]


def test_a_mask_and_then_an_index_of_a_tensor_is_told(found: Found) -> None:
    (finding,) = found("chained_assignment", "def f(x, i):\n    x[x > 0][i] = 0\n")
    assert finding.action == "advise"  # type: ignore[attr-defined]
