"""The user's project in miniature of `project.py`, with two defects, and a scripted model that knows a fix for each."""

from pathlib import Path

from .project import MANIFEST, MODEL, PREDICT, SNEAKY, answer, make_project, write_answers

TWO_DEFECTS = MODEL + "\n\ndef decide(value):\n    return int(0 < value < 2)\n"
DECIDE = "def decide(value):\n    return int(value > 0)\n"


def make(folder: Path) -> Path:
    """The project's folder. `features` forgets a coordinate and `decide` takes the surest for unsure: two kept edits, so that
    the loop has something to merge."""
    predict = PREDICT.replace("from model import score", "from model import decide, score")
    predict = predict.replace("int(score(weights, p) > 0)", "decide(score(weights, p))")
    manifest = MANIFEST.replace("[0, 1]", "[0]")
    make_project(folder, files={"model.py": TWO_DEFECTS, "predict.py": predict}, manifest=manifest)
    threshold = answer("Decide at zero", "model.py", "decide")
    threshold["edits"][0]["arguments"]["code"] = DECIDE  # type: ignore[index]
    write_answers(
        folder / "answers.json",
        {"proposals": [answer("Use both coordinates", "model.py", "features"), threshold, SNEAKY]},
    )
    return folder
