"""A proposal's words on their way into the ledger and into a commit's message."""

import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from branchlab.agent.proposal import Proposal
from branchlab.agent.records import to_record


@settings(deadline=None)
@given(st.text(), st.text())
def test_nothing_that_steers_a_terminal_goes_into_a_record(title: str, rationale: str) -> None:
    record = to_record("r", "edits", Proposal("bug_fix", title, rationale, (), proposer="x", parent="p"))
    assert record.title.isprintable()
    for c in record.rationale:
        assert c in "\n\t" or unicodedata.category(c)[0] != "C"
    record.rationale.encode()


def test_plain_words_stay_as_they_are() -> None:
    said = Proposal("bug_fix", "Clear gradients — ünï", "One.\n\n\tTwo.", (), proposer="x", parent="p")
    record = to_record("r", "edits", said)
    assert (record.title, record.rationale) == (said.title, said.rationale)
