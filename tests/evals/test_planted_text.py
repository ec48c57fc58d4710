"""One payload for each place a stranger's text can stand, followed to everything a person or a program reads."""

import io
import json
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

import pytest
from markdown_it import MarkdownIt
from rich.console import Console, RenderableType

from branchlab.agent.runs_view import runs_table
from branchlab.agent.show_view import to_json, trial_detail, trials_table
from branchlab.agent.verdict_view import verdict_table
from branchlab.evals.compare import compare
from branchlab.evals.ledger import Ledger
from branchlab.evals.report import write_report
from branchlab.evals.trial import ProposalRecord, Run, Score, Trial, Verdict

from .sample_run import BASE, RUN_ID, SampleRun
from .test_report import ALLOWED, Document

FIELDS = (
    "log", "run reason", "metric name", "branch", "title", "rationale", "evidence file", "evidence note", "diff line", "diff file",
    "proposer", "outcome", "gate", "verdict reason", "backend", "target", "note", "tunable", "rule", "choice", "model", "unread file",
    "unread reason", "status reason", "user repository", "crash title", "discard title", "metric of a score",
)  # fmt: skip


def payload(field: str) -> str:
    """Markup of every kind around the name of its place, by which it is found again."""
    at = f"@{field.replace(' ', '-')}@"
    return (
        f"{at}<script>alert('{at}')</script><img src=x onerror=alert(1)></pre></table><h1>[x](https://e)![x](//e/x) "
        f"**b** `c` | cell | \x1b[31m\x9b2J\x1b]8;;http://e\x07[red]\u202e\u200b\u2066 https://e.example @team {{{{7*7}}}}"
    )


class Planted(SampleRun):
    """The made-up run, and in it one more proposal, crash and discard whose every text is a payload."""

    def settings(self) -> Mapping[str, Any]:
        more = dict(super().settings())
        tunable = {"name": payload("tunable"), "file": "t.py", "line": 1, "type": "str", "default": "a", "low": None,
                   "high": None, "log": False, "choices": ["a", payload("choice")], "rule": payload("rule")}  # fmt: skip
        return more | {
            "metric": payload("metric name"), "user_repo": payload("user repository"), "model": payload("model"),
            "notes": [payload("note")], "tunables": [*more["tunables"], tunable],
            "unread": [{"file": payload("unread file"), "reason": payload("unread reason")}],
        }  # fmt: skip

    def text(self, plain: str) -> str:
        return payload("target") if plain == "digits_faulty" else plain

    def plant(self) -> str:
        name = payload("diff file").replace("\n", " ")
        diff = f"diff --git a/{name} b/{name}\n--- a/{name}\n+++ b/{name}\n@@ -1 +1 @@ {name}\n-old\n+{payload('diff line')}\n"
        kept = self.record("kept", "title", BASE[::-1], diff, "branched")
        self.ledger.set_branch(self.run_id, kept, payload("branch"))
        self.row(kept, "keep", Score(payload("metric of a score"), 0.95, None, {payload("extra"): 1.0}))
        self.row(self.record("crashed", "crash title", "c" * 40, diff, "branched"), "crash", None)
        self.row(
            self.record("discarded", "discard title", "d" * 40, diff, "branched"), "discard", Score("accuracy", 0.5)
        )
        self.record("refused", "refused title", None, "", payload("outcome"))
        self.ledger.set_status(self.run_id, "failed", payload("status reason"))
        return kept

    def record(self, name: str, title: str, commit: str | None, diff: str, outcome: str) -> str:
        record = ProposalRecord(
            id=name, run_id=self.run_id, arm="edits", kind="bug_fix", claimed_kind="architecture", title=payload(title),
            rationale=payload("rationale"), evidence=((payload("evidence file"), 3, payload("evidence note")),), edits=(),
            proposer=payload("proposer"), parent=BASE, commit=commit, diff=diff, outcome=outcome,
        )  # fmt: skip
        self.ledger.add_proposal(record)
        return name

    def row(self, name: str, decision: Any, score: Score | None) -> None:
        status = "ok" if score else "failed"
        run = Run(
            0,
            "search",
            status,
            payload("run reason"),
            score,
            1.0,
            1.0,
            1.0,
            payload("log"),
            payload("backend"),
            started=1.0,
        )
        verdicts = (Verdict(payload("gate"), decision == "keep", payload("verdict reason")),)
        commit = next(record.commit for record in self.ledger.proposals(self.run_id) if record.id == name)
        trial = Trial(f"trial-{name}", self.run_id, "edits", "search", commit or BASE, BASE, {}, name, (run,), verdicts,
                      decision, 1.0, None, 1.0)  # fmt: skip
        self.ledger.add_trial(trial)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    ledger = Ledger.open(f"sqlite:///{tmp_path_factory.mktemp('planted')}/ledger.db")
    planted = Planted(ledger)
    planted.write()
    planted.plant()
    return ledger


@pytest.fixture(scope="module")
def written(ledger: Ledger, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    report = write_report(ledger, RUN_ID, tmp_path_factory.mktemp("report"))
    return report.html.read_text(encoding="utf-8"), report.markdown.read_text(encoding="utf-8")


def places(text: str) -> set[str]:
    return set(re.findall(r"@([a-z-]+)@", text))


def steering(text: str) -> set[str]:
    return {c for c in text if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co")}


def test_the_page_shows_each_of_them_and_obeys_none(written: tuple[str, str]) -> None:
    page = Document(written[0])
    assert {name for name, _ in page.elements} <= ALLOWED
    assert not page.all("script") + page.all("img")
    assert len(page.all("h1")) == 1
    attributes = [name for _, found in page.elements for name in found]
    assert not [name for name in attributes if name.startswith("on")]
    assert not steering(written[0])
    links = [a.get("href") or "" for a in page.all("a")]
    assert all(link.startswith("#") for link in links)
    # The score's own name is not shown: the run's metric is.
    assert {field.replace(" ", "-") for field in FIELDS} - places(page.text) == {"metric-of-a-score"}


def test_the_markdown_shows_each_of_them_and_obeys_none(written: tuple[str, str]) -> None:
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(written[1])
    inline = [child for token in tokens for child in token.children or ()]
    assert not {"link_open", "image"} & {child.type for child in inline}
    assert {child.content for child in inline if child.type == "html_inline"} <= {"<!-- -->"}
    assert "html_block" not in {token.type for token in tokens}
    assert len([token for token in tokens if token.type == "heading_open" and token.tag == "h1"]) == 1
    assert not steering(written[1])
    shown = {place.replace("<!-- -->", "") for place in re.findall(r"@(?:<!-- -->)?([a-z-]+)@", written[1])}
    assert {"log", "title", "rationale", "branch", "diff-line", "diff-file", "verdict-reason", "run-reason"} <= shown


def on_a_terminal(what: RenderableType) -> str:
    stream = io.StringIO()
    Console(file=stream, width=200, no_color=True, force_terminal=False).print(what)
    return stream.getvalue()


def test_the_terminal_shows_them_and_obeys_none(ledger: Ledger) -> None:
    trials = [trial.id for trial in ledger.trials(RUN_ID) if trial.id.startswith("trial-")]
    views = [runs_table(ledger.runs()), trials_table(ledger, RUN_ID), verdict_table(compare(ledger, RUN_ID))]
    texts = [on_a_terminal(view) for view in [*views, *(trial_detail(ledger, RUN_ID, trial) for trial in trials)]]
    for text in texts:
        assert not steering(text)
    assert {"title", "log", "diff-line", "verdict-reason", "run-reason"} <= places("".join(texts))


def test_json_is_plain_ascii(ledger: Ledger) -> None:
    text = json.dumps(to_json(ledger, RUN_ID))
    assert text.isascii()
    assert text.isprintable()
    assert {"title", "log", "branch"} <= places(json.dumps(json.loads(text), ensure_ascii=False))


def test_the_payloads_would_act_where_nothing_is_escaped() -> None:
    text = payload("log")
    assert Document(f"<div>{text.split('</pre>')[0]}").all("script")
    tokens = MarkdownIt("commonmark").parse(f"x {text.split('<h1>')[1]}")
    kinds = {child.type for token in tokens for child in token.children or ()}
    assert {"link_open", "image", "strong_open", "code_inline"} <= kinds
    assert steering(text) >= {"\x1b", "\u202e", "\u200b"}
