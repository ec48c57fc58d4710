"""A review on stdout in the form that was asked for, and in the summary of the CI job it runs in."""

import os
from typing import Literal

import click

from ..evals.report.review_junit import junit
from ..evals.report.review_markdown import comment
from ..evals.reviewed import Reviewed

SUMMARY = "GITHUB_STEP_SUMMARY"
"""GitHub's runner names a file here; what is appended to it is shown beside the job."""


def show_review(result: Reviewed, shown_as: Literal["text", "github", "junit"]) -> None:
    """Nothing for `text`: the view has said it on stderr. Raises: OSError when the summary cannot be written."""
    if shown_as == "junit":
        click.echo(junit(result))
    if shown_as == "github":
        text = comment(result)
        click.echo(text)
        if path := os.environ.get(SUMMARY):
            with open(path, "a", encoding="utf-8") as summary:
                summary.write(f"{text}\n")
