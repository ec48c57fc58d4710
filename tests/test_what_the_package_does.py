"""Read off the package's own source: what the process that judges may never do, and who may write and start what."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import branchlab

PACKAGE = Path(branchlab.__file__).parent
UNPICKLERS = {"pickle", "cPickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "torch", "sklearn", "dbm",
              "multiprocessing", "concurrent.futures.process"}  # fmt: skip
"""Modules that run code which stands in the data they load, or that are only ever needed to run a target."""
WRITING_CALLS = {"write_text", "write_bytes", "copyfile", "copy", "copy2", "copytree", "move", "symlink_to", "hardlink_to",
                 "unpack_archive", "extractall", "mkfifo"}  # fmt: skip
WRITERS = {
    "agent/probes/inside/driver.py": "inside a sandbox only: what its probes measured",
    "agent/probes/running.py": "what probes are told: a new file in a new folder",
    "agent/initialise.py": "the draft of a target.toml, below the state folder",
    "agent/models/replay.py": "the run's own cassette",
    "agent/review_output.py": "the step summary, at the path that the CI job's own environment names",
    "agent/session.py": "the run's own lock",
    "evals/kept_models.py": "frozen models, moved into the run's own folder",
    "evals/report/__init__.py": "the report: a new file, then renamed",
    "evals/trivial/card.py": "made-up predictions: new files in a new folder, frozen before a sandbox sees them",
    "evals/trivial/npz.py": "a zip file in memory",
    "sandbox/built_environments.py": "an environment's own folder, before and outside what its build may write",
    "sandbox/command.py": "the throw-away copy of a tree; links are left out",
    "sandbox/conformance.py": "the suite's own folders",
    "sandbox/docker.py": "copies for a run's user, in a new folder; the preflight's own program, inside",
    "sandbox/docker_view.py": "the engine's files for one run, in a new folder",
    "sandbox/files.py": "frozen results: new files in a new folder",
    "sandbox/host.py": "the conformance suite's own folders and shared memory",
    "targets/checkout.py": "trees: new files in a new folder, before anything ran there",
    "targets/clones.py": "the clone's configuration and locks",
    "targets/merging.py": "three copies of a file, in a new folder",
    "targets/shipped.py": "a shipped target's repository, built aside",
    "targets/state_folder.py": "its .gitignore, a new file",
    "targets/user_repository.py": "a copy of an index, and which commits of the clone have no parents",
}
"""Who writes files by name, and why no link can lead it elsewhere. Candidates are written by `git fast-import` alone, as
objects: no edit of a model's ever goes through a path in a tree that code ran in."""
INSIDE_ONLY = {"sandbox/warm_server.py", "agent/probes/inside/subject.py", "agent/probes/inside/bound.py"}
"""Programs for the inside of a sandbox: the host reads their text, and imports them nowhere."""
KERNEL_FILES = {
    "sandbox/warm.py",
    "sandbox/warm_server.py",
    "sandbox/cgroups.py",
    "sandbox/slot.py",
    "sandbox/unconfined.py",
    "sandbox/bwrap_run.py",
    "sandbox/privileges.py",
    "sandbox/launcher.py",
    "sandbox/restricted_run.py",
}
"""These write to the kernel's own files and descriptors, or make mount points and scratch folders, and nowhere else."""


def sources() -> Iterator[tuple[str, ast.Module]]:
    for top in ("agent", "evals", "sandbox", "targets"):
        for path in sorted((PACKAGE / top).rglob("*.py")):
            name = path.relative_to(PACKAGE).as_posix()
            if "/repo/" not in name and path.name != "make_data.py":
                yield name, ast.parse(path.read_text(encoding="utf-8"))


MODULES = dict(sources())


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """Each call by what is written before its bracket."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def test_the_scan_reads_the_package() -> None:
    assert len(MODULES) > 150
    assert {"evals/judge.py", "sandbox/files.py", "targets/checkout.py", "agent/cli.py"} <= MODULES.keys()


@pytest.mark.parametrize("name", MODULES)
def test_nothing_is_ever_unpickled(name: str) -> None:
    found = set(imported(MODULES[name]))
    assert not {word for word in found if word in UNPICKLERS or word.split(".")[0] in UNPICKLERS}
    for function, call in calls(MODULES[name]):
        assert not re.search(r"(^|\.)(np|numpy|torch)\.(load|loadtxt|genfromtxt|fromfile)$", function), function
        if name not in INSIDE_ONLY:
            assert not re.fullmatch(r"(builtins\.)?(eval|exec|compile|__import__)", function), function
        assert not re.search(r"(^|\.)(unpack_archive|extractall|extract)$", function), function
        if function.endswith("yaml.load") or function == "load":
            loader = next((ast.unparse(word.value) for word in call.keywords if word.arg == "Loader"), "")
            assert "Safe" in loader, f"{function} with {loader or 'no loader'}"
        assert not function.endswith(("yaml.unsafe_load", "yaml.full_load"))


@pytest.mark.parametrize("name", MODULES)
def test_no_shell_is_ever_started(name: str) -> None:
    for function, call in calls(MODULES[name]):
        assert function not in ("os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput")
        for word in call.keywords:
            assert word.arg != "shell" or ast.unparse(word.value) == "False"


def opens_for_writing(call: ast.Call) -> bool:
    texts = [arg.value for arg in [*call.args, *(k.value for k in call.keywords)] if isinstance(arg, ast.Constant)]
    return any(isinstance(text, str) and re.fullmatch(r"[rwxabt+]*[wxa+][bt+]*", text) for text in texts)


def writes(tree: ast.Module) -> bool:
    for function, call in calls(tree):
        last = function.rpartition(".")[2]
        if last in ("open", "fdopen") and opens_for_writing(call):
            return True
        if last in WRITING_CALLS and (last != "copy" or function.startswith("shutil")):
            return True
        if function == "os.open" and re.search("O_CREAT|O_WRONLY|O_RDWR", ast.unparse(call)):
            return True
    return False


def test_those_who_write_files_by_name_are_known() -> None:
    found = {name for name, tree in MODULES.items() if writes(tree)}
    assert found - KERNEL_FILES == WRITERS.keys()


def test_operators_proposers_and_checks_write_nothing() -> None:
    """What a model proposed goes to a file as a git object, and in no other way."""
    for name in MODULES:
        if name.startswith(("agent/operators/", "agent/proposers/", "agent/checks/")):
            assert name not in WRITERS


def test_git_is_started_at_one_place() -> None:
    """Else a command without the hardened flags could slip in."""
    starters = {
        name
        for name, tree in MODULES.items()
        for _, call in calls(tree)
        if call.args and isinstance(call.args[0], ast.List) and call.args[0].elts[:1]
        and isinstance(call.args[0].elts[0], ast.Constant) and call.args[0].elts[0].value == "git"
    }  # fmt: skip
    assert starters == set()
    lists = {name for name, tree in MODULES.items() for node in ast.walk(tree)
             if isinstance(node, ast.List) and node.elts and isinstance(node.elts[0], ast.Constant) and node.elts[0].value == "git"}  # fmt: skip
    assert lists == {"targets/hardened_git.py"}
    imports = {name for name, tree in MODULES.items() if any(word.split(".")[0] == "git" for word in imported(tree))}
    assert imports == {"targets/objects.py"}


def test_the_program_for_the_inside_is_imported_nowhere() -> None:
    users = {name for name, tree in MODULES.items() if any(word.endswith("warm_server") for word in imported(tree))}
    assert users == set()
    for name, tree in MODULES.items():
        if not name.startswith("agent/probes/inside/"):
            froms = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
            assert not any("inside" in module.split(".") for module in froms), name
