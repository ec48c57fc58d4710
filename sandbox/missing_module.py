"""Says what a run that ended with `No module named ...` lacks, and which line in which file puts that right."""

import os
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

from ..targets.target import Environment
from .runner import Interpreter

LAST = re.compile(r"^(?:\w+\.)*(?:ModuleNotFoundError|ImportError): No module named '?([A-Za-z_][\w.]{0,200})'?", re.M)
LINES = 40
"""Of the end of a log, where the traceback that ended the run is."""
MOST_ENTRIES = 50_000
DISTRIBUTIONS = {
    "Crypto": "pycryptodome", "OpenSSL": "pyOpenSSL", "PIL": "Pillow", "attr": "attrs", "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless", "dateutil": "python-dateutil", "distutils": "setuptools", "docx": "python-docx",
    "dotenv": "python-dotenv", "faiss": "faiss-cpu", "fitz": "PyMuPDF", "git": "GitPython", "hydra": "hydra-core",
    "igraph": "python-igraph", "jwt": "PyJWT", "lightning_fabric": "lightning-fabric", "mpl_toolkits": "matplotlib",
    "omegaconf": "omegaconf", "pkg_resources": "setuptools", "psycopg2": "psycopg2-binary", "pylab": "matplotlib",
    "pytorch_lightning": "pytorch-lightning", "pywt": "PyWavelets", "serial": "pyserial",
    "sentence_transformers": "sentence-transformers", "skimage": "scikit-image", "sklearn": "scikit-learn",
    "skopt": "scikit-optimize", "slugify": "python-slugify", "tensorboardX": "tensorboardX", "umap": "umap-learn",
    "wx": "wxPython", "yaml": "PyYAML", "zmq": "pyzmq",
}  # fmt: skip
"""Distributions whose name is not that of what one imports."""
REMOVED = frozenset(
    "asynchat asyncore cgi cgitb crypt imghdr imp nntplib pipes smtpd sndhdr telnetlib uu xdrlib".split()
)
"""Of the standard library, gone from newer Pythons."""


def missing_module(log: str) -> str:
    """The module a run ended for the want of, dotted; empty when it did not end so."""
    found = LAST.findall("\n".join(log.splitlines()[-LINES:]))
    return found[-1].rstrip(".") if found else ""


def distribution_of(module: str) -> tuple[str, bool]:
    """The name under which an index has what is imported so, and whether that is known: a guess is the same name."""
    top = module.partition(".")[0]
    if top in DISTRIBUTIONS:
        return DISTRIBUTIONS[top], True
    installed = packages_distributions().get(top)
    if installed and len(set(installed)) == 1:
        return installed[0], True
    return top.replace("_", "-"), False


def advice(log: str, work: Path, interpreter: Interpreter, environment: Environment) -> str:
    """One line on what a failed run lacks and the line to add; empty when its log does not end with a missing module.

    `work` is the tree it ran in: what that tree itself has is no dependency.
    """
    module = missing_module(log)
    if not module:
        return ""
    top = module.partition(".")[0]
    if own := _own(work, top):
        return f"no module {module}: it is the tree's own ({own}); its folder goes in `path` of [environment]"
    if top in REMOVED or (top in sys.stdlib_module_names and top not in DISTRIBUTIONS):
        return f"no module {module}: it is of the standard library, and this Python ({interpreter.executable}) lacks it"
    name, known = distribution_of(module)
    if module != top and _installed(interpreter, top):
        return f"no module {module}: {top} is installed without it; another version of {name} may have it"
    what = name if known else f"{name} (a guess: it may have another name)"
    return f"no module {module}: the environment lacks {what}; {_line(name, environment)}"


def _line(name: str, environment: Environment) -> str:
    if environment.requirements:
        file = environment.requirements[0]
        where = f"project.dependencies of {file}" if file.endswith(".toml") else file
        return f"add the line `{name}` to {where}, and commit"
    if environment.python:
        return f"`{environment.python} -m pip install {name}`"
    return f"`{sys.executable} -m pip install {name}`, or name a file that lists it: requirements of [environment]"


def _own(work: Path, top: str) -> str:
    """The path of a module of that name in the tree, empty when there is none."""
    seen = 0
    for parent, folders, files in os.walk(work):
        folders.sort()
        seen += len(folders) + len(files)
        if seen > MOST_ENTRIES:
            return ""
        if f"{top}.py" in files:
            return os.path.relpath(os.path.join(parent, f"{top}.py"), work)
        if top in folders and any(Path(parent, top).glob("*.py")):
            return os.path.relpath(os.path.join(parent, top), work) + "/"
    return ""


def _installed(interpreter: Interpreter, top: str) -> bool:
    places = (
        place
        for prefix in interpreter.prefixes
        for pattern in ("lib*/python3*/site-packages", "lib/python3*/dist-packages")
        for place in prefix.glob(pattern)
    )
    return any((place / top).is_dir() or (place / f"{top}.py").is_file() for place in places)
