"""A score is what the predictions earn: every way around that is tried on the judge, in the real sandbox."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from branchlab.evals.gates import GATES
from branchlab.evals.trial import Run
from branchlab.sandbox.fake import FakeRunner, ok
from branchlab.sandbox.runner import Runner, RunRequest, RunResult
from branchlab.sandbox.unconfined import Unconfined

from .reward_hacks import HACKS, HONEST, PLANT_EVERYWHERE, PLANTS, PREDICT, TRAIN_NOTHING, TRUSTED, Hack
from .toy_target import COMMIT, SAME_PROCESS, STEPS, Toy, sandboxed

EARNED = 0.5
"""Four of eight: odd numbers, the last label being wrong for everyone."""


@pytest.fixture(scope="module")
def runner() -> Runner:
    return sandboxed()


def separate(folder: Path, runner: Runner, model: str, files: Mapping[str, str] | None = None) -> Toy:
    """The toy with three steps, whose predicting program imports the candidate's model.py."""
    toy = Toy(folder, runner=runner)
    for tree in (toy.tree, toy.pristine):
        put(tree, {"train.py": TRAIN_NOTHING, "predict.py": PREDICT, "model.py": HONEST})
    put(toy.tree, {"model.py": model, **(files or {})})
    return toy.renew()


def put(tree: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)


def judged(toy: Toy, split: str = "search") -> Run:
    return toy.judge.run(toy.tree, COMMIT, 0, split)


def value(run: Run) -> float | None:
    return run.score.value if run.score else None


def test_honest_code_gets_what_it_earns(tmp_path: Path, runner: Runner) -> None:
    """Otherwise the tests below would show nothing."""
    assert value(judged(separate(tmp_path, runner, HONEST))) == EARNED


@pytest.mark.parametrize("hack", HACKS, ids=lambda hack: hack.name)
def test_a_separate_judge_is_not_fooled(hack: Hack, tmp_path: Path, runner: Runner) -> None:
    run = judged(separate(tmp_path, runner, hack.model, hack.files))
    assert value(run) == hack.separate, run.reason
    assert (run.status == "ok") == (hack.separate is not None)


@pytest.mark.parametrize("hack", [hack for hack in HACKS if hack.same_process], ids=lambda hack: hack.name)
def test_a_judge_in_the_same_process_is_fooled_and_says_so(hack: Hack, tmp_path: Path, runner: Runner) -> None:
    """No sandbox can help here: this is what `integrity: same-process` warns of."""
    toy = Toy(tmp_path, steps=SAME_PROCESS, runner=runner)
    put(toy.tree, {"train.py": TRUSTED, "model.py": HONEST})
    honest = judged(toy)
    assert value(honest) == 10 / 19, honest.reason
    put(toy.tree, {"model.py": hack.model, **hack.files})
    forged = judged(toy)
    assert value(forged) == hack.same_process, forged.reason
    assert toy.target.integrity == "same-process"
    verdict = GATES["integrity"].judge(toy.target, [forged], [honest])
    assert "same-process" in verdict.reason
    assert forged.evaluator_sha256 is None


PYTEST_FORGERIES = {
    # pytest holds the output back, but the pipe is among the open files.
    "prints and leaves": """
import contextlib, os
for name in os.listdir("/proc/self/fd"):
    with contextlib.suppress(OSError):
        os.write(int(name), b"1 passed\\n")
os._exit(0)
""",
    "patches pytest": "import _pytest.python\n_pytest.python.Function.runtest = lambda self: None\n",
}


@pytest.mark.parametrize("forgery", PYTEST_FORGERIES)
def test_pytest_as_the_judge_is_fooled_and_says_so(forgery: str, tmp_path: Path, runner: Runner) -> None:
    words = '"python", "-P", "-m", "pytest", "--noconftest", "-c", "/dev/null", "-p", "no:cacheprovider", "-o", "pythonpath=.", '
    steps = f'[steps]\ntrain = [{words} "--rootdir", ".", "check.py"]\n'
    toy = Toy(tmp_path, steps=steps, metric="stdout = '([0-9]+) passed'", runner=runner)
    check = "import sys\nsys.path.insert(0, '.')\nimport model\ndef test_right():\n    assert model.predict(2) == 6\n"
    put(toy.tree, {"check.py": check, "model.py": HONEST, "conftest.py": "raise SystemExit('conftest.py was read')"})
    assert judged(toy).score is None
    put(toy.tree, {"model.py": PYTEST_FORGERIES[forgery] + HONEST})
    assert value(judged(toy)) == 1.0
    assert toy.target.integrity == "same-process"


def test_files_that_an_interpreter_picks_up_change_nothing(tmp_path: Path, runner: Runner) -> None:
    """Planted beside the program, in what is handed on, and wherever else they could be written."""
    toy = separate(tmp_path, runner, HONEST)
    put(toy.tree, {"train.py": TRAIN_NOTHING + PLANT_EVERYWHERE, "predict.py": PREDICT + PLANT_EVERYWHERE})
    # Of those that would keep the candidate's own programs from starting, only the judge's step must not notice.
    put(toy.tree, {name: text for name, text in PLANTS.items() if name not in ("json.py", "pathlib.py")})
    run = judged(toy)
    assert (run.status, value(run)) == ("ok", EARNED), run.reason


def test_such_files_do_change_a_program_that_looks_there(tmp_path: Path) -> None:
    put(tmp_path, PLANTS)
    for words in (["-c", "import json; print('ran')"], ["-c", "import numpy; print('ran')"]):
        done = subprocess.run([sys.executable, *words], cwd=tmp_path, capture_output=True, check=False)
        assert b"ran" not in done.stdout
        done = subprocess.run([sys.executable, "-I", *words], cwd=tmp_path, capture_output=True, check=False)
        assert b"ran" in done.stdout


LINKS = {
    "a link to the labels": "os.symlink('/labels', path)",
    "a link to a host file": "os.symlink('/etc/passwd', path)",
    "a link to an endless file": "os.symlink('/dev/zero', path)",
    "a pipe": "os.mkfifo(path)",
    "a file with two names": "open(path, 'w').write('[0]'); os.link(path, path + '2')",
    "a folder": "os.mkdir(path)",
    "a file of holes": "f = open(path, 'w'); f.truncate(60 << 20)",
    "a socket": "import socket; socket.socket(socket.AF_UNIX).bind(path)",
}


@pytest.mark.parametrize("how", LINKS)
def test_predictions_that_are_no_plain_file_are_no_score(how: str, tmp_path: Path, runner: Runner) -> None:
    toy = separate(tmp_path, runner, HONEST)
    code = f"import os, sys\npath = sys.argv[3] + '/predictions.json'\n{LINKS[how]}\n"
    put(toy.tree, {"predict.py": code})
    run = judged(toy)
    assert (run.status, run.score) == ("failed", None), run.reason
    assert run.reason.startswith("score: ")


@pytest.mark.parametrize("how", [how for how in LINKS if how != "a folder"])
def test_a_metrics_file_that_is_no_plain_file_is_no_score(how: str, tmp_path: Path, runner: Runner) -> None:
    toy = Toy(tmp_path, steps=SAME_PROCESS, runner=runner)
    code = f"import os, sys\npath = sys.argv[2] + '/metrics.json'\n{LINKS[how]}\n"
    put(toy.tree, {"train.py": code})
    run = judged(toy)
    assert (run.status, run.score) == ("no_score", None), run.reason


# plain data only


NPZ_STEPS = STEPS.replace(
    '"{predictions}", "{labels}", "{out}", "{nonce}"',
    '"--predictions", "{predictions}/predictions.npz", "--labels", "{labels}", "--out", "{out}", "--nonce", "{nonce}"',
)
EVALUATOR = Path(__file__).parents[2] / "targets" / "digits_clean" / "repo" / "evaluate.py"


def npz_toy(folder: Path, runner: Runner, predict: str) -> Toy:
    """The toy with the evaluator of a shipped target, which reads npz files."""
    toy = Toy(folder, steps=NPZ_STEPS, runner=runner)
    toy.target = toy.target.model_copy(
        update={"limits": toy.target.limits.model_copy(update={"memory_mb": 400, "disk_mb": 600})}
    )
    put(toy.pristine, {"score.py": EVALUATOR.read_text()})
    for split in ("search", "confirm", "sealed"):
        with open(toy.folder / "data" / f"{split}_y.json", "wb") as file:
            np.savez(file, labels=np.arange(8) % 3)
    put(
        toy.tree,
        {"train.py": TRAIN_NOTHING, "predict.py": f"import sys\npath = sys.argv[3] + '/predictions.npz'\n{predict}"},
    )
    return toy.renew()


def test_plain_arrays_are_scored(tmp_path: Path, runner: Runner) -> None:
    run = judged(npz_toy(tmp_path, runner, "import numpy as np\nnp.savez(path, labels=np.zeros(8, int))"))
    assert value(run) == 3 / 8, run.reason


def test_a_pickle_in_the_predictions_is_not_loaded(tmp_path: Path, runner: Runner) -> None:
    code = """
import numpy as np
class Evil:
    def __reduce__(self):
        return print, ("THE PICKLE RAN",)
np.savez(path, labels=np.array([Evil()] * 8, dtype=object))
"""
    run = judged(npz_toy(tmp_path, runner, code))
    assert (run.status, run.score) == ("failed", None)
    assert "allow_pickle=False" in run.log
    assert "THE PICKLE RAN" not in run.log


def test_an_archive_that_unpacks_to_more_than_the_memory_ends_in_its_own_step(tmp_path: Path, runner: Runner) -> None:
    code = """
import io, zipfile, numpy as np
header = io.BytesIO()
np.lib.format.write_array_header_1_0(header, {"descr": "<i8", "fortran_order": False, "shape": (1 << 27,)})
with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
    with archive.open("labels.npy", "w", force_zip64=True) as file:
        file.write(header.getvalue())
        for _ in range(1 << 7):
            file.write(bytes(8 << 20))
"""
    run = judged(npz_toy(tmp_path, runner, code))
    assert run.score is None
    assert run.reason.startswith("score: "), run.reason
    assert run.status in ("out_of_memory", "failed")
    assert run.peak_memory_mb < 1000


# labels, the evaluator, other runs


SPY = """
import os, sys
found = []
for path in PATHS:
    try:
        os.stat(path)
        found.append(path)
    except OSError:
        pass
    for change in ("ab", "r+b"):
        try:
            open(path, change).close()
            found.append("writable " + path)
        except OSError:
            pass
for top in TOPS:
    for parent, folders, files in os.walk(top):
        folders[:] = [f for f in folders if not (parent == "/" and f in ("proc", "sys"))]
        for name in files:
            path = os.path.join(parent, name)
            try:
                # A compiled file holds the path it was made at, so some installation has one of any size.
                same_size = os.lstat(path).st_size == SIZE and not name.endswith(".pyc")
                if same_size or name.endswith("_labels.npz"):
                    found.append(path)
            except OSError:
                pass
for folder in os.listdir("/proc"):
    for name in ("environ", "cmdline"):
        try:
            text = open(f"/proc/{folder}/{name}", "rb").read()
            if folder.isdigit() and (b"labels" in text or b"_y.json" in text) and int(folder) != os.getpid():
                found.append(f"/proc/{folder}/{name}")
        except OSError:
            pass
print("FOUND", found)
"""


EVERYWHERE = ("/", "..", "/proc/1/root", "/proc/self/root", "/proc/1/cwd", "/proc/1/fd")


def spied(toy: Toy, tops: tuple[str, ...]) -> list[str]:
    """What the spy found in each step in which candidate code runs."""
    outside = [path for path in toy.folder.rglob("*") if not path.is_relative_to(toy.tree)]
    paths = [str(path) for path in outside] + [os.path.relpath(path, toy.tree) for path in outside if path.is_file()]
    head = f"PATHS = {paths!r}\nTOPS = {tops!r}\nSIZE = 54321\n"
    logs: list[str] = []
    inner = toy.runner

    def listen(request: RunRequest) -> RunResult:
        result = inner.run(request)
        logs.append(result.log_head)
        return result

    put(toy.tree, {"train.py": head + SPY + TRAIN_NOTHING, "predict.py": head + SPY + PREDICT})
    toy.runner = FakeRunner(listen)
    toy.renew()
    run = judged(toy)
    assert value(run) == EARNED, run.reason
    assert len(logs) == 3
    return re.findall("FOUND (.*)", "\n".join(logs))


def spied_toy(folder: Path, runner: Runner) -> Toy:
    """With labels of a size that is found again, the model of an earlier confirmation, and what another run left."""
    toy = separate(folder, runner, HONEST)
    toy.judge.run(toy.tree, COMMIT, 1, "confirm", keep_model=True)
    for split in ("search", "confirm", "sealed"):
        labels = folder / "data" / f"{split}_y.json"
        labels.write_text(labels.read_text().ljust(54321))
    put(folder, {"scratch/run-other/predictions/predictions.json": "[1]", "scratch/run-other/score-out/metrics.json": "{}",
                 "repos/clone.git/HEAD": "ref: refs/heads/main", "ledger.db": "rows"})  # fmt: skip
    return toy


def test_candidate_code_sees_no_label_no_evaluator_and_no_other_run(tmp_path: Path, runner: Runner) -> None:
    toy = spied_toy(tmp_path, runner)
    before = {path: path.read_bytes() for path in (*tmp_path.glob("data/*"), *toy.pristine.iterdir()) if path.is_file()}
    assert spied(toy, EVERYWHERE) == ["[]", "[]"]
    assert {path: path.read_bytes() for path in before} == before


def test_the_spy_finds_them_where_there_is_no_sandbox(tmp_path: Path) -> None:
    found = spied(spied_toy(tmp_path, Unconfined()), (str(tmp_path),))
    for words in found:
        for name in ("sealed_y.json", "kept.json", "score.py", "HEAD", "ledger.db", "run-other"):
            assert name in words
        assert "writable" in words


def test_labels_or_evaluator_changed_before_their_step_give_no_score(tmp_path: Path) -> None:
    """What a run without a sandbox can do to them must not pass for a score."""
    for name, what in {"labels": "data/search_y.json", "evaluator": "pristine/score.py"}.items():
        folder = tmp_path / name
        folder.mkdir()
        toy = separate(folder, Unconfined(), HONEST)
        code = f"open({str(folder / what)!r}, 'a').write(' ')\n"
        put(toy.tree, {"predict.py": PREDICT + code})
        run = judged(toy)
        assert (run.status, run.score) == ("no_score", None)
        assert "not those this run began with" in run.reason


# the nonce


def requests_of(toy: Toy) -> list[RunRequest]:
    asked: list[RunRequest] = []
    inner = toy.runner

    def listen(request: RunRequest) -> RunResult:
        asked.append(request)
        return inner.run(request)

    toy.runner = FakeRunner(listen)
    toy.renew()
    judged(toy), judged(toy)
    return asked


def test_the_nonce_is_new_each_time_and_no_candidate_sees_it(tmp_path: Path) -> None:
    asked = requests_of(separate(tmp_path, Unconfined(), HONEST))
    nonces = [request.argv[-1] for request in asked if "labels" in request.mounts]
    assert len(set(nonces)) == 2
    assert all(re.fullmatch("[0-9a-f]{32}", nonce) for nonce in nonces)
    for request in asked:
        if "labels" not in request.mounts:
            text = repr(replace(request))
            assert not any(nonce in text for nonce in nonces)
    assert len({request.out for request in asked}) == 6, "no step writes where another did"


@pytest.mark.parametrize(
    "body",
    [
        '{"accuracy": 1.0, "nonce": "%s", "nonce": "%s"}', '{"accuracy": 1.0, "nonce": "0", "nonce": "%s"}',
        '{"accuracy": 1.0, "nonce": ["%s"]}', '{"accuracy": 1.0, "Nonce": "%s"}', '{"accuracy": 1.0, "nonce": "%s "}',
        '[{"accuracy": 1.0, "nonce": "%s"}]', '{"accuracy": 1.0, "nonce": "%s"}{"accuracy": 1.0}',
    ],
)  # fmt: skip
def test_a_second_or_another_nonce_is_no_score(body: str, tmp_path: Path) -> None:
    def answer(request: RunRequest) -> RunResult:
        if "labels" in request.mounts:
            (request.out / "metrics.json").write_text(body.replace("%s", request.argv[-1]))
        return ok()

    run = judged(Toy(tmp_path, runner=FakeRunner(answer)))
    assert (run.status, run.score) == ("no_score", None)


def test_a_metrics_file_of_an_earlier_run_is_no_score(tmp_path: Path) -> None:
    """An evaluator that crashes with status 0 leaves what was there; here, the best file that ever was."""
    kept: list[bytes] = []

    def answer(request: RunRequest) -> RunResult:
        if "labels" in request.mounts:
            file = request.out / "metrics.json"
            file.write_bytes(kept[0] if kept else b'{"accuracy": 1.0, "nonce": "%s"}' % request.argv[-1].encode())
            kept.append(file.read_bytes())
        return ok()

    toy = Toy(tmp_path, runner=FakeRunner(answer))
    assert value(judged(toy)) == 1.0
    assert judged(toy).status == "no_score"
