"""The report of a made-up run: everything is in it, nothing of a stranger's text acts in it."""

import html
import re
import threading
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from branchlab.evals.compare import compare
from branchlab.evals.ledger import Ledger, RunRecord
from branchlab.evals.report import write_report
from branchlab.evals.report.plots import WIDE, Gain, forest
from branchlab.targets.errors import LedgerError, UsageError

from .sample_run import BASE, RUN_ID, SampleRun, sample_ledger

VOID = {"meta", "br", "img", "link", "input", "hr", "base", "embed", "source"}
ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "div", "nav", "ol", "ul", "li", "a", "header", "p", "b", "span",
    "h1", "h2", "h3", "dl", "dt", "dd", "main", "section", "table", "caption", "thead", "tbody", "tr", "th", "td",
    "figure", "figcaption", "article", "code", "pre", "mark", "details", "summary", "footer",
    "svg", "g", "path", "use", "defs", "text", "clippath", "rect",
}  # fmt: skip


class Document(HTMLParser):
    """What a browser would make of a page: its elements, its text, and whether they nest."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    return _write(tmp_path_factory.mktemp("plain"), hostile=False)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    return _write(tmp_path_factory.mktemp("hostile"), hostile=True)


def _write(folder: Path, *, hostile: bool) -> tuple[str, str]:
    ledger = sample_ledger(folder, hostile=hostile)
    report = write_report(ledger, RUN_ID, folder / "report")
    ledger.close()
    return report.html.read_text("utf-8"), report.markdown.read_text("utf-8")


def _report_of(ledger: Ledger, folder: Path, run_id: str = RUN_ID) -> tuple[str, str]:
    report = write_report(ledger, run_id, folder)
    return html.unescape(report.html.read_text("utf-8")), report.markdown.read_text("utf-8")


# what it holds


def test_the_verdict_comes_first(written: tuple[str, str]) -> None:
    page, markdown = written
    heading = re.search(r"<h1>(.*?)</h1>", page)
    assert heading
    assert "code edits beat hyperparameter tuning" in html.unescape(heading[1])
    assert markdown.startswith("# For digits\\_faulty")


@pytest.mark.parametrize(
    "text",
    [
        "Clear gradients before each backward pass",  # a kept edit
        "git merge branchlab/r20260301-7f3a/04-shuffle-the-training-loader",
        "git diff 1405df66cbe2...branchlab/r20260301-7f3a/04-shuffle-the-training-loader",
        "loss = F.cross_entropy(F.softmax(logits, dim=1), labels)",  # its diff
        "Widen layer 1 by half, variant 0",  # tried, not better
        "evaluate.py is protected",  # refused, and why
        "mat1 and mat2 shapes cannot be multiplied",  # crashed, with its log
        "LEARNING_RATE 0.001 → ",  # a trial of the tuner in words
        "0.0001 to 0.01, log",  # the search space
        "argparse choices",
        "legacy/old_model.py",  # what could not be read
        "2 cores, x86_64, Linux 6.1",
        "100, 101, 102, 103, 104, 105, 106, 107",
        "openings of the sealed split",
        "bubblewrap (watchdog)",
        "$0.2134",
        "branchlab run digits_faulty --budget 180s --jobs 2",
        "integrity: separate",
    ],
)
def test_every_part_is_in_both_forms(written: tuple[str, str], text: str) -> None:
    page, markdown = written
    assert text in Document(page).text
    assert text in re.sub(r"\\([^\w\s]|_)", r"\1", markdown)


def test_the_arms_table_has_every_arm_and_its_costs(written: tuple[str, str]) -> None:
    _, markdown = written
    table = [line for line in markdown.splitlines() if line.startswith("| ")]
    arms = {line.split("|")[1].strip(): [c.strip() for c in line.split("|")[2:-1]] for line in reversed(table)}
    assert {"baseline", "random", "tuner", "edits", "edits+tuner"} <= arms.keys()
    assert arms["baseline"][0] == "–"
    assert re.fullmatch(r"\+0\.04\d\d", arms["edits"][0])
    assert "(tie)" in arms["random"][1]


def test_a_run_that_is_not_finished_says_so_and_is_reported(tmp_path: Path) -> None:
    ledger = Ledger.open(f"sqlite:///{tmp_path}/l.db")
    ledger.start_run(RunRecord("r", "t", BASE, 0.0, "interrupted", "interrupted by the user", {}))
    page, markdown = _report_of(ledger, tmp_path, "r")
    for text in (page, markdown):
        assert "did not reach its end (interrupted: interrupted by the user)" in text
        assert "nothing was confirmed" in text
        assert "not recorded" in text
        assert "nan" not in text.lower().replace("unanswered", "")


def test_a_run_with_trials_and_no_settings_is_reported(tmp_path: Path) -> None:
    class Bare(SampleRun):
        def settings(self) -> dict[str, Any]:
            return {}

    ledger = Ledger.open(f"sqlite:///{tmp_path}/l.db")
    Bare(ledger).write()
    page, _ = _report_of(ledger, tmp_path)
    assert "Nothing to tune was found." in page


def test_same_process_and_no_sandbox_stand_above_everything(tmp_path: Path) -> None:
    ledger = sample_ledger(tmp_path)
    ledger.update_settings(RUN_ID, integrity="same-process")
    trial = ledger.trials(RUN_ID)[0]
    unsafe = replace(trial, id="unsafe", runs=(replace(trial.runs[0], backend="unconfined (none)"),))
    ledger.add_trial(unsafe)
    page, markdown = _report_of(ledger, tmp_path)
    for text in (page[page.index("<body>") :], markdown):
        first = text[: text.index("Arms\n") if text == markdown else text.index('id="arms"')]
        assert "no sandbox" in first
        assert "same-process" in first


def test_no_such_run(tmp_path: Path) -> None:
    ledger = Ledger.open(f"sqlite:///{tmp_path}/l.db")
    with pytest.raises(LedgerError, match="no run"):
        write_report(ledger, "r", tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    ledger = sample_ledger(tmp_path)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UsageError, match="cannot be written"):
        write_report(ledger, RUN_ID, tmp_path / "file" / "report")


def test_the_same_ledger_gives_the_same_bytes(tmp_path: Path) -> None:
    ledger = sample_ledger(tmp_path)
    first, second = (_report_of(ledger, tmp_path / name) for name in ("a", "b"))
    assert first == second


def test_reports_written_by_many_threads_are_all_alike(tmp_path: Path) -> None:
    ledger = sample_ledger(tmp_path)
    threads = [threading.Thread(target=write_report, args=(ledger, RUN_ID, tmp_path / str(n))) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({(tmp_path / str(n) / "report.html").read_bytes() for n in range(4)}) == 1


# what it is


@pytest.mark.parametrize("which", ["written", "hostile"])
def test_the_page_is_self_contained_and_holds_only_what_we_put_there(
    which: str, request: pytest.FixtureRequest
) -> None:
    page, _ = request.getfixturevalue(which)
    document = Document(page)
    assert document.open == []
    assert {tag for tag, _ in document.elements} <= ALLOWED
    assert len(document.all("style")) == 1
    for _, attributes in document.elements:
        assert not any(
            name.startswith("on") or name in ("src", "srcset", "action", "formaction") for name in attributes
        )
        for name in ("href", "xlink:href"):
            assert (attributes.get(name) or "#").startswith("#")
    policies = [meta["content"] for meta in document.all("meta") if meta.get("http-equiv")]
    assert len(policies) == 1
    assert str(policies[0]).startswith("default-src 'none'")
    assert "url(" not in re.sub(r"url\(#[\w-]+\)", "", page)


@pytest.mark.parametrize("which", ["written", "hostile"])
def test_ids_are_unique_and_every_reference_has_its_target(which: str, request: pytest.FixtureRequest) -> None:
    page, _ = request.getfixturevalue(which)
    document = Document(page)
    ids = [attributes["id"] for _, attributes in document.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert "owned" not in ids
    pointed = [
        a.get("href") or a.get("xlink:href") for _, a in document.elements if a.get("href") or a.get("xlink:href")
    ]
    pointed += [f"#{name}" for name in re.findall(r"url\(#([\w-]+)\)", page)]
    assert {str(name)[1:] for name in pointed} <= {str(name) for name in ids}


def test_tables_have_captions_and_headers_and_pictures_have_words(written: tuple[str, str]) -> None:
    page, _ = written
    without_diffs = re.sub(r'<div class="diff">.*?</table>', "", page, flags=re.DOTALL)
    document = Document(page)
    captioned = re.findall(r"<table>\s*<caption>", without_diffs)
    assert len(captioned) == without_diffs.count("<table>")
    assert all(attributes.get("scope") for attributes in document.all("th"))
    pictures = document.all("svg")
    assert len(pictures) == 4
    assert all(p.get("role") == "img" and "edits" in str(p.get("aria-label")) for p in pictures)


def test_pictures_are_drawn_in_the_colours_of_the_page(written: tuple[str, str]) -> None:
    page, _ = written
    for picture in re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL):
        ET.fromstring(picture)  # noqa: S314  (our own; it has to be well formed)
        assert "var(--edits)" in picture
        assert not re.findall(r"#[0-9a-f]{6}\b(?!-)", picture)


def test_a_gain_without_an_interval_is_a_point_without_one() -> None:
    picture = forest([Gain("edits", "edits", 0.1, None, None)], width=WIDE, name="f")
    assert "+0.1, no interval" in picture


def test_nothing_to_draw_is_no_picture() -> None:
    assert forest([], width=WIDE, name="f") == ""


# strangers' text


def test_hostile_text_arrives_as_text(hostile: tuple[str, str]) -> None:
    text = Document(hostile[0]).text
    for expected in (
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[click](javascript:alert(1))",
        "</code></pre><h1 id=owned>owned</h1>",
        "{{ 7 * 7 }} {% raw %} {# no #} ${7*7}",
        "]]><style>*{display:none}</style>",
        r"rtl \u202egnp.exe\u202c bell \x07 escape \x1b[31mred\x1b[0m nul \x00 lone \ud800 zero\u200bwidth",
    ):
        assert expected in text


@pytest.mark.parametrize("form", [0, 1])
def test_no_invisible_character_is_left(hostile: tuple[str, str], form: int) -> None:
    left = {c for c in hostile[form] if not c.isprintable() and c != "\n"}
    assert left == set()


def test_markdown_of_hostile_text_has_no_markup_of_theirs(written: tuple[str, str], hostile: tuple[str, str]) -> None:
    def shape(markdown: str) -> tuple[list[str], set[str]]:
        blocks = MarkdownIt("commonmark").enable("table").enable("strikethrough").parse(markdown)
        inline = {child.type for block in blocks for child in block.children or ()}
        pings = {child.content for block in blocks for child in block.children or () if child.type == "html_inline"}
        assert pings <= {"<!-- -->"}
        return [block.type for block in blocks], inline

    ours, _ = shape(written[1])
    theirs, inline = shape(hostile[1])
    assert [t for t in theirs if "heading" in t or "table" in t] == [t for t in ours if "heading" in t or "table" in t]
    assert theirs.count("tr_open") == ours.count("tr_open")
    assert theirs.count("td_open") == ours.count("td_open")
    assert theirs.count("fence") == ours.count("fence")
    assert not {"html_block", "code_block", "hr"} & set(theirs)
    assert not {"link_open", "image", "s_open", "em_open"} & inline


def test_a_run_id_and_branch_of_hostile_text_stay_one_shell_word(tmp_path: Path) -> None:
    ledger = Ledger.open(f"sqlite:///{tmp_path}/l.db")
    SampleRun(ledger, run_id="r; rm -rf ~ $(x)").write()
    page, _ = _report_of(ledger, tmp_path, "r; rm -rf ~ $(x)")
    assert "branchlab --json show 'r; rm -rf ~ $(x)'" in page
    assert "git merge 'branchlab/r; rm -rf ~ $(x)/01-" in page


# colours


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_text_and_arms_have_contrast_in_the_light_in_the_dark_and_on_paper(written: tuple[str, str]) -> None:
    schemes = [
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})\b", block))
        for block in re.findall(r":root {(.*?)}", written[0], re.S)
    ]
    assert len(schemes) == 2
    for colours in schemes:
        behind = ("page", "panel", "add", "del", "add-mark", "del-mark", "warn-soft")
        assert all(_contrast(colours["ink"], colours[name]) >= 4.5 for name in behind)
        assert all(
            _contrast(colours[text], colours[name]) >= 4.5 for text in ("muted", "accent") for name in ("page", "panel")
        )
        for arm in ("baseline", "random", "tuner", "edits", "edits-tuner"):
            assert _contrast(colours[arm], colours["page"]) >= 4.5  # the pictures name the arms in these


def test_the_audit_and_the_trivial_baselines_stand_before_the_arms(tmp_path: Path) -> None:
    ledger = sample_ledger(tmp_path)
    finding = {"question": "direction", "severity": "high", "file": "a|b.py", "line": 3, "title": "<b>turned</b>",
               "rationale": "why", "advice": "turn it"}  # fmt: skip
    card = {"constant": 0.95, "majority": 0.4, "copy": "no input has the shape", "shuffled labels": 0.1, "random": 0.1}
    facts = {"reason": "", "answers": {"labels": "class indices"}, "one_answer": False, "tried": 2, "seconds": 1.5}
    ledger.update_settings(RUN_ID, audit=[finding], audit_questions=["direction"], trivial=card, trivial_facts=facts)
    page, markdown = _report_of(ledger, tmp_path / "report")
    caveats = compare(ledger, RUN_ID).caveats
    ledger.close()
    for text in (page, markdown):
        assert text.index("turn it") < text.index("no input has the shape") < text.index("95 % interval")
        assert "worse than one and the same answer for every example" in text
        assert "The evaluator audit found 1 thing" in text
    assert "<b>turned" not in re.sub(r"\\<", "", markdown)
    assert any("worse than one and the same answer" in caveat for caveat in caveats)


def test_a_card_that_could_not_be_made_says_why(tmp_path: Path) -> None:
    ledger = sample_ledger(tmp_path)
    ledger.update_settings(
        RUN_ID, audit=[], audit_questions=["direction"], trivial={}, trivial_facts={"reason": "a .pt file"}
    )
    _, markdown = _report_of(ledger, tmp_path / "report")
    ledger.close()
    assert "There is no card: a .pt file" in markdown
    assert "Nothing was found." in markdown
