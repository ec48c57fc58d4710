"""`branchlab repeat`: the same search with other seeds, in one family, resumable like any run."""

from pathlib import Path

from .project import FIX, make_project, write_answers
from .test_end_to_end import branchlab, shown


def test_a_repeat_differs_in_its_seeds_and_in_nothing_else(tmp_path: Path) -> None:
    folder = make_project(tmp_path / "project")
    model = write_answers(folder / "answers.json", {"proposals": [FIX]})
    first = branchlab(folder, "run", "target.toml", "--budget", "20s", "--jobs", "2", "--model", model)
    assert first.returncode == 0, first.stderr
    one = shown(folder)["run"]
    again = branchlab(folder, "repeat", "last")
    assert again.returncode == 0, again.stderr
    two = shown(folder)["run"]
    assert (two["settings"]["repeat_of"], two["settings"]["repeat"]) == (one["id"], 1)
    assert two["commit"] == one["commit"]
    for same in ("budget_seconds", "arms", "jobs", "target_sha256"):
        assert two["settings"][same] == one["settings"][same]
    assert two["settings"]["seeds"]["confirm"] == one["settings"]["seeds"]["confirm"]
    assert not set(two["settings"]["seeds"]["search"]) & set(one["settings"]["seeds"]["search"])
    for run in (one, two):
        report = (folder / ".branchlab" / "runs" / run["id"] / "report.md").read_text()
        assert "2 whole searches" in report
    manifest = folder / "target.toml"
    manifest.write_text(manifest.read_text().replace("memory_mb = 512", "memory_mb = 513"))
    changed = branchlab(folder, "repeat", one["id"])
    assert changed.returncode == 2
    assert "has changed" in changed.stderr


def test_what_cannot_be_repeated_is_said_in_one_line(tmp_path: Path) -> None:
    folder = make_project(tmp_path / "project")
    nothing = branchlab(folder, "repeat", "last")
    assert nothing.returncode == 2
    assert nothing.stderr.strip().count("\n") == 0
