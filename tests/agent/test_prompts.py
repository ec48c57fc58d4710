"""Prompt edits: what they add or move, and that no placeholder is ever lost."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from branchlab.agent.code_map import CodeMap, Prompt
from branchlab.agent.operators.apply import apply_edits
from branchlab.agent.operators.prompt_text import placeholders, with_instruction, with_line_moved
from branchlab.agent.proposal import Edit
from branchlab.agent.proposers.prompts import PromptsProposer
from branchlab.agent.read import read_code
from branchlab.targets.errors import OperatorError

TEMPLATE = '''"""Asks."""

import litellm

ANSWER = """You are a careful assistant.
You must never invent a fact.

Context: {context}
Question: {question}
Answer:"""


def ask(question, notes):
    prompt = f"Read the notes {notes!r} and answer.\\nUse only the notes given.\\nQuestion: {question}\\nAnswer:"
    return ANSWER.format(context=notes, question=question) + prompt


def grade(reply):
    return call(
        "You grade the answer of a student, given as {reply}.\\n"
        "Explain your verdict. ".format(reply=reply)
    )
'''
FILE = "Answer the question below.\nNever guess.\n\n{{ context }}\nQ: {{ question }}\nA:\n"
ASK = "Reply with one word."


def edited(edit: Edit, source: str = TEMPLATE) -> str:
    return apply_edits({edit.file: source.encode()}, [edit])[edit.file].decode()


def test_an_instruction_goes_before_the_line_that_waits_for_the_answer() -> None:
    after = edited(Edit("add_instruction", "ask.py", "ANSWER", {"phrase": "careful assistant", "instruction": ASK}))
    assert 'Question: {question}\nReply with one word.\nAnswer:"""' in after
    assert after.replace(f"{ASK}\n", "") == TEMPLATE


def test_an_instruction_in_an_f_string_of_one_line() -> None:
    after = edited(Edit("add_instruction", "ask.py", "ask", {"phrase": "Read the notes", "instruction": "Say 'no'."}))
    assert '{question}\\nSay ’no’.\\nAnswer:"' in after
    ast.parse(after)


def test_an_instruction_in_a_run_of_literals() -> None:
    after = edited(Edit("add_instruction", "ask.py", "grade", {"phrase": "your verdict", "instruction": ASK}))
    assert f'"Explain your verdict. \\n{ASK}".format(' in after


def test_a_constraint_moves_behind_the_question() -> None:
    move = {"line": "You must never invent a fact.", "anchor": "Question: {question}", "where": "after"}
    after = edited(Edit("move_prompt_line", "ask.py", "ANSWER", {"phrase": "You must never", **move}))
    assert "Question: {question}\nYou must never invent a fact.\nAnswer:" in after
    move = {"line": "Use only the notes given.", "anchor": "Question: {question}", "where": "after"}
    after = edited(Edit("move_prompt_line", "ask.py", "ask", {"phrase": "Use only", **move}))
    assert "answer.\\nQuestion: {question}\\nUse only the notes given.\\nAnswer:" in after


def test_files_are_edited_as_text() -> None:
    edit = Edit("add_instruction_file", "a.prompt", "", {"instruction": ASK})
    assert edited(edit, FILE).endswith(f"Q: {{{{ question }}}}\n{ASK}\nA:\n")
    move = {"line": "Never guess.", "anchor": "Q: {{ question }}", "where": "after"}
    assert "question }}\nNever guess.\nA:" in edited(Edit("move_prompt_line_file", "a.prompt", "", move), FILE)


@pytest.mark.parametrize(
    "arguments",
    [
        {"phrase": "careful assistant", "instruction": "Use {tone}."},
        {"phrase": "careful assistant", "instruction": "Use $tone."},
        {"phrase": "careful assistant", "instruction": "One.\nTwo."},
        {"phrase": "careful assistant", "instruction": 'End it """ here'},
        {"phrase": "careful assistant", "instruction": "A \\ here."},
        {"phrase": "careful assistant"},
        {"phrase": "not in any prompt", "instruction": ASK},
        {"phrase": "Question: {question}", "instruction": ASK, "other": "x"},
    ],
)
def test_an_instruction_that_could_break_a_prompt_is_refused(arguments: dict[str, str]) -> None:
    with pytest.raises(OperatorError):
        edited(Edit("add_instruction", "ask.py", "ANSWER", arguments))


def test_a_phrase_in_two_strings_is_refused() -> None:
    with pytest.raises(OperatorError, match="2 of them"):
        edited(Edit("add_instruction", "ask.py", "", {"phrase": "Question: {question}", "instruction": ASK}))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{a} and {a} and {b.c:>3}", ["{a!None:", "{a!None:", "{b.c!None:>3"]),
        ("100 % of {{x}}", ["{{x"]),
        ("%s of %(total)s in $place, ${x}", ["$place", "${x}", "{x!None:", "%(total", "%s"]),
        ("a { alone", ["{"]),
        ("<<SLOT>>", ["<<SLOT"]),
    ],
)
def test_placeholders_of_every_style_are_counted(text: str, found: list[str]) -> None:
    assert sorted(placeholders(text).elements()) == sorted(found)


LINES = st.lists(st.sampled_from(["Be brief.", "Q: {q}", "", "  Notes: {notes}", "Never lie.", "A:"]), max_size=8)


@given(lines=LINES, newline=st.sampled_from(["\n", "\\n"]))
def test_no_edit_loses_a_line_or_a_placeholder(lines: list[str], newline: str) -> None:
    text = newline.join(lines)
    after = with_instruction(text, ASK, newline)
    assert placeholders(after) == placeholders(text)
    assert [line for line in after.split(newline) if line.strip() != ASK] == text.split(newline)
    if lines.count("Never lie.") == lines.count("Q: {q}") == 1:
        try:
            moved = with_line_moved(text, "Never lie.", "Q: {q}", "before", newline)
        except OperatorError:
            assert lines.index("Q: {q}") == lines.index("Never lie.") + 1
        else:
            assert sorted(moved.split(newline)) == sorted(lines)


def test_proposals_for_strings_and_files_apply_and_say_where() -> None:
    code = read_code("c" * 40, {"ask.py": TEMPLATE.encode(), "prompts/answer.prompt": FILE.encode()})
    found = PromptsProposer().propose(code, (), (), limit=50)
    assert {edit.operator for p in found for edit in p.edits} >= {
        "add_instruction", "add_instruction_file", "move_prompt_line",
    }  # fmt: skip
    for proposal in found:
        assert proposal.kind == "prompt"
        assert len(proposal.title) <= 72
        after = apply_edits(code.sources, proposal.edits)
        assert len(after) == 1
    assert PromptsProposer().propose(code, (), (), limit=2) == found[:2]


def test_a_prompt_that_sets_length_and_format_is_left_alone() -> None:
    text = "You answer the user's question in one short sentence, as JSON, and you give the key answer in it."
    prompt = Prompt("a.py", 1, "P", text, ())
    code = CodeMap("c", {"a.py": f'P = "{text}"\n'.encode()}, prompts=(prompt,))
    assert PromptsProposer().propose(code, (), (), limit=9) == []


def test_a_repository_without_prompts_gets_no_proposal() -> None:
    assert PromptsProposer().propose(read_code("c", {"a.py": b"x = 1\n"}), (), (), limit=9) == []


MESSAGE = "You must give the answer as a list, and every question of the list must have a format: {kind}"


@pytest.mark.parametrize(
    ("source", "is_one"),
    [
        (f'import openai\n\n\ndef ask(kind):\n    return openai.chat(f"{MESSAGE}")\n', True),
        (f'import openai\n\n\nclass Kind:\n    kind: str\n    """{MESSAGE}"""\n', False),
        (f'SYSTEM_PROMPT = "{MESSAGE}"\n', True),
        (f'def check(kind):\n    text = f"{MESSAGE}"\n    return text\n', False),
        (f'import openai\n\n\ndef check(kind):\n    raise ValueError(f"{MESSAGE}")\n', False),
        (f'import openai\n\n\ndef check(kind, log):\n    log.warning(f"{MESSAGE}")\n', False),
    ],
    ids=["client", "docstring", "name", "no client", "raised", "logged"],
)
def test_messages_are_no_prompts(source: str, is_one: bool) -> None:
    found = PromptsProposer().propose(read_code("c", {"a.py": source.encode()}), (), (), limit=9)
    assert bool(found) == is_one
