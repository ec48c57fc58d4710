"""Writes docs/defects/, one page for each kind of defect: `make docs`, or `python docs/make_defect_pages.py`."""

from pathlib import Path

from branchlab.agent.findings.pages import render_pages

FOLDER = Path(__file__).parent / "defects"

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    pages = render_pages()
    for old in FOLDER.glob("*.md"):
        if old.name not in pages:
            old.unlink()
    for name, text in pages.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
