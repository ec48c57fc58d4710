"""Runs inside the sandbox, by `running.BOOT`: FOLDER PLAN OUT, where FOLDER is the package around this one.

PLAN is a JSON file: `nonce`, `seconds` a task may take, `recipe` (how to build the model), `tasks` (`id`, `probe`, `ask`).
Each task appends one JSON line to OUT/results.jsonl: `nonce`, `id`, `seconds`, `facts`. Its first line is written before
a task begins, so that whoever reads knows which one ended the process.
"""

import importlib
import json
import math
import os
import signal
import sys
import time
import traceback
import types
from typing import Any

MOST_TEXT = 300


class OutOfTime(BaseException):
    """Not an Exception: the target's own handlers are not to swallow it."""


def main() -> None:
    folder, plan_path, out = sys.argv[1:4]
    with open(plan_path, encoding="utf-8") as file:
        plan = json.load(file)
    # The package's own __init__ is for the outside.
    package = types.ModuleType("branchlab_probes")
    package.__path__ = [folder]
    sys.modules["branchlab_probes"] = package
    sys.argv = ["train.py"]
    work = os.getcwd()
    sys.path[:0] = [os.path.normpath(os.path.join(work, path)) for path in plan["recipe"]["paths"]]
    sys.dont_write_bytecode = True
    with open(os.path.join(out, "results.jsonl"), "a", encoding="utf-8") as results:

        def say(line: dict[str, Any]) -> None:
            results.write(json.dumps({"nonce": plan["nonce"], **line}) + "\n")
            results.flush()

        subject, fault = _subject(plan["recipe"], work)
        for task in plan["tasks"]:
            say({"id": task["id"], "begun": True})
            started = time.monotonic()
            facts = {"error": fault} if fault else _facts(task, plan["seconds"], subject)
            say({"id": task["id"], "seconds": time.monotonic() - started, "facts": facts})


def _subject(recipe: dict[str, Any], work: str) -> tuple[Any, str]:
    """What probes measure, or why there is none. The import of torch is in no probe's time."""
    try:
        return importlib.import_module("branchlab_probes.inside.subject").Subject(recipe, work), ""
    except BaseException as error:
        return None, _words(error)


def _facts(task: dict[str, Any], seconds: float, subject: Any) -> dict[str, Any]:
    signal.signal(signal.SIGALRM, _alarm)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        probe = importlib.import_module("branchlab_probes." + task["probe"])
        return _plain(probe.measure(subject, task["ask"]))
    except OutOfTime:
        return {"error": f"it took more than {seconds:g} seconds"}
    except SystemExit as error:
        return {"error": f"the code ended the process: exit {error}"}
    except BaseException as error:
        return {"error": _words(error)}
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _alarm(_number: int, _frame: Any) -> None:
    raise OutOfTime


def _words(error: BaseException) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1:]
    where = f" ({os.path.basename(last[0].filename)}:{last[0].lineno})" if last else ""
    text = " ".join(str(error).split())[: MOST_TEXT - 60]
    if type(error).__name__ in ("CannotTell", "NoBatch"):
        return text
    return f"{type(error).__name__}: {text}{where}"


def _plain(facts: dict[str, Any]) -> dict[str, Any]:
    """Facts as JSON values: what is not finite is left out, for no number stands for it."""
    plain: dict[str, Any] = {}
    for key, value in facts.items():
        if isinstance(value, str):
            plain[key] = value[:MOST_TEXT]
        elif isinstance(value, (bool, int)) or (isinstance(value, float) and math.isfinite(value)):
            plain[key] = value
    return plain


if __name__ == "__main__":
    main()
