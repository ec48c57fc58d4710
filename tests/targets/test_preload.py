"""Which installed modules a step's code imports first."""

from pathlib import Path

import pytest

from branchlab.targets.preload import preload

FILES = {
    "train.py": "import os, json\nimport numpy as np\nfrom data import load\nimport torch.nn.functional as F\n"
    "from lib import layers\nfrom lib.deep import more\n"
    "try:\n    import optional\nexcept ImportError:\n    pass\nif True:\n    import perhaps\n"
    "def main():\n    import late\n",
    "data.py": "from torch.utils.data import DataLoader\nimport train\n",
    "lib/__init__.py": "import pandas\n",
    "lib/layers.py": "from . import shapes\nfrom .deep import more\nfrom sklearn import svm\n",
    "lib/shapes.py": "import scipy.linalg\n",
    "lib/deep/__init__.py": "",
    "lib/deep/more.py": "from ..shapes import x\nimport einops\n",
    "evaluate.py": "import numpy\n",
    "broken.py": "import numpy\nx = (",
    "optimize.py": "import torch\nimport data\nstep = torch.optim.SGD\n",
    "src/app.py": "import tool.helper, yaml\n",
    "src/tool/__init__.py": "",
    "src/tool/helper.py": "import rich\n",
}
LOADER = "torch.utils.data:DataLoader"
ALL = ("numpy", LOADER, "torch.nn.functional", "pandas", "scipy.linalg", "einops", "sklearn:svm")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("argv", "wanted"),
    [
        (("python", "train.py", "--data", "{data}"), ALL),
        (("python", "-u", "./train.py"), ALL),
        (("python", "-m", "train"), ALL),
        (("python", "evaluate.py"), ("numpy",)),
        (("python", "-m", "lib.layers"), ("pandas", "scipy.linalg", "einops", "sklearn:svm")),
        (("python", "src/app.py"), ("rich", "yaml")),
        (("python", "broken.py"), ()),
        (("python", "missing.py"), ()),
        (("python", "-m"), ()),
        (("python",), ()),
        (("bash", "train.py"), ()),
        ((), ()),
    ],
)
def test_what_stands_at_the_top_is_imported_in_its_order(
    tree: Path, argv: tuple[str, ...], wanted: tuple[str, ...]
) -> None:
    assert preload(tree, argv) == wanted


def test_folders_on_the_path_hold_modules_of_the_repository(tree: Path) -> None:
    (tree / "start.py").write_text("import app\n")
    assert preload(tree, ("python", "start.py")) == ("app",)
    assert preload(tree, ("python", "start.py"), ("src",)) == ("rich", "yaml")


def test_what_a_library_imports_late_is_named_where_code_uses_it(tree: Path) -> None:
    (tree / "data.py").write_text("from torch.utils.data import DataLoader\n")
    (tree / "predict.py").write_text("import torch\n")
    assert preload(tree, ("python", "optimize.py")) == ("torch", LOADER, "?torch._dynamo")
    assert preload(tree, ("python", "predict.py")) == ("torch",)
