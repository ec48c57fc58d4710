"""What the oracles share: a module of the folder under test, and the verdict as the last line.

    python oracles/NAME.py FOLDER        # prints "defect" or "sound"; anything else is no verdict

FOLDER holds a repository's Python files. Its code is run here, so an oracle belongs in a sandbox.
"""

import ast
import importlib
import sys
import types
from pathlib import Path
from types import ModuleType
from typing import Any

UNUSED = ("torchvision", "torchvision.transforms", "torchvision.transforms.functional", "torchvision.models",
          "torchvision.utils", "torchvision.datasets", "kornia", "kornia.augmentation", "kornia.filters", "transformers",
          "transformers.utils", "resize_right", "x_clip", "coca_pytorch", "clip")  # fmt: skip
"""Imported by many of the files and needed by no oracle."""
FOLDER = Path(sys.argv[1]) if len(sys.argv) > 1 else Path()


class Nothing(type):
    """A class of which any attribute is another one: importing code may call and subclass what it will not run."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Nothing(name, (), {"__init__": lambda self, *words, **named: None})


class Missing(ModuleType):
    """Stands for a package that the symbol under test does not use."""

    def __getattr__(self, name: str) -> Any:
        return Nothing.__getattr__(Nothing, name)


def stub(*names: str) -> None:
    """`a.b` can be imported afterwards and holds empty classes."""
    for name in names:
        parts = name.split(".")
        for end in range(1, len(parts) + 1):
            module = sys.modules.setdefault(".".join(parts[:end]), Missing(".".join(parts[:end])))
            module.__path__ = getattr(module, "__path__", [])


def load(file: str, *missing: str, root: str = "", whole: bool = False) -> ModuleType:
    """The module in `file`; packages in `missing` are stubs. Unless `whole`, the `__init__` of the packages above are not run."""
    sys.path.insert(0, str(FOLDER / root))
    parts = Path(file).relative_to(root).with_suffix("").parts
    for end in range(1, 1 if whole else len(parts)):
        name = ".".join(parts[:end])
        package = ModuleType(name)
        package.__path__ = [str((FOLDER / root).joinpath(*parts[:end]))]
        sys.modules[name] = package
    stub(*(() if whole else UNUSED), *missing)
    return importlib.import_module(".".join(parts))


def definition(file: str, name: str, **names: Any) -> Any:
    """One function, method or class of `file`, run with no more than `names` around it."""
    body: list[ast.stmt] = ast.parse((FOLDER / file).read_text()).body
    for part in name.split("."):
        (found,) = [node for node in body if getattr(node, "name", "") == part]
        body = found.body if isinstance(found, (ast.ClassDef, ast.FunctionDef)) else []
    future = ast.parse("from __future__ import annotations").body
    exec(compile(ast.Module([*future, found], []), file, "exec"), names)  # noqa: S102 - what an oracle is for
    value = names[name.rpartition(".")[2]]
    return value.__func__ if isinstance(value, (staticmethod, classmethod)) else value


def thing(**fields: Any) -> types.SimpleNamespace:
    """A `self` with just what a method reads."""
    return types.SimpleNamespace(**fields)


def settle(defect: Any) -> None:
    """The verdict of the run."""
    print("defect" if bool(defect) else "sound")
