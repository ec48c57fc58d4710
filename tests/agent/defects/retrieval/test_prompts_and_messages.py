"""Fields that nothing fills, values that no field takes, lists of messages that grow, JSON cut in the middle."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

Program = str | Mapping[str, str]

SEND = """
def answer(client, question):
    messages = [{"role": "user", "content": "Answer {question} in a word."}]
    return client.chat.completions.create(model="m", messages=messages)
"""
NAMED = '''
def answer(llm, question, context):
    prompt = """Use this context:
    {context}
    Question: {question}"""
    return llm.invoke(prompt)
'''
FILL = """
PROMPT = "Read the text {text} and answer the question {question}."

def answer(llm, text, query):
    return llm.invoke(PROMPT.format(text=text, query=query))
"""
GROW = '''
def ask(client, messages):
    """Asks."""
    messages.insert(0, {"role": "system", "content": "Be brief."})
    return client.chat.completions.create(model="m", messages=messages).choices[0].message.content
'''
BEFORE_AFTER: dict[str, tuple[str, Program, Program]] = {
    "the content of a message": ("prompt_missing_f", SEND, SEND.replace('"Answer', 'f"Answer')),
    "a name that is sent": ("prompt_missing_f", NAMED, NAMED.replace('"""Use', 'f"""Use')),
    "doubled braces": (
        "prompt_missing_f",
        SEND.replace('"Answer {question} in', 'f"Answer {{question}} in {1 + 1}'),
        SEND.replace('"Answer {question} in', 'f"Answer {question} in {1 + 1}'),
    ),
    "a keyword of another name": ("prompt_fields", FILL, FILL.replace("query=query", "question=query")),
    "another name for the caller's history": (
        "messages_mutated",
        """
def ask(client, prompt, history=None):
    if history:
        messages = history
        messages.append({"role": "user", "content": prompt})
    else:
        messages = [{"role": "user", "content": prompt}]
    return client.chat.completions.create(model="m", messages=messages)
""",
        """
def ask(client, prompt, history=None):
    if history:
        messages = list(history)
        messages.append({"role": "user", "content": prompt})
    else:
        messages = [{"role": "user", "content": prompt}]
    return client.chat.completions.create(model="m", messages=messages)
""",
    ),
    "messages of the caller": (
        "messages_mutated", GROW, GROW.replace('"""Asks."""\n', '"""Asks."""\n    messages = list(messages)\n'),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BEFORE_AFTER)
def test_is_mended(case: str, mended: Callable[[str, Program, Program], None]) -> None:
    mended(*BEFORE_AFTER[case])


SILENT = {
    "an f-string": ("prompt_missing_f", SEND.replace('"Answer', 'f"Answer')),
    "formatted": ("prompt_missing_f", SEND.replace('word."', 'word.".format(question=question)')),
    "formatted by name": ("prompt_missing_f", NAMED.replace("llm.invoke(prompt)", "llm.invoke(prompt.format(question=question, context=context))")),
    "replaced in": ("prompt_missing_f", NAMED.replace("    return", "    prompt = prompt.replace('{question}', question)\n    return")),
    "a template class": ("prompt_missing_f", SEND.replace("[{", "ChatPromptTemplate.from_messages([{").replace('word."}]', 'word."}])')),
    "a field that is no name here": ("prompt_missing_f", SEND.replace("{question}", "{other}")),
    "JSON in the prompt": ("prompt_missing_f", SEND.replace("{question}", "{'question': 1}")),
    "doubled braces without an f": ("prompt_missing_f", SEND.replace("{question}", "{{question}}")),
    "logged, not sent": ("prompt_missing_f", "def f(log, question):\n    log.info('asked {question}')\n"),
    "every field filled": ("prompt_fields", FILL.replace("query=query", "question=query")),
    "values in a dictionary": ("prompt_fields", FILL.replace("text=text, query=query", "**values")),
    "a template from elsewhere": ("prompt_fields", FILL.replace('PROMPT = "Read the text {text} and answer the question {question}."', "PROMPT = load()")),
    "one of two templates": ("prompt_fields", FILL.replace("def answer", "if SHORT:\n    PROMPT = 'Answer the question {query} about {text}.'\n\ndef answer")),
    "a short label": ("prompt_fields", "NAME = '{a} at {b}'\n\ndef f(a):\n    return NAME.format(a=a, c=1)\n"),
    "a copy": ("messages_mutated", GROW.replace('"""Asks."""\n', '"""Asks."""\n    messages = [*messages]\n')),
    "a conversation": ("messages_mutated", "def chat(client, messages, text):\n    messages.append({'role': 'user', 'content': text})\n    reply = client.chat.completions.create(model='m', messages=messages)\n    messages.append({'role': 'assistant', 'content': reply})\n    return reply\n"),
    "given back": ("messages_mutated", GROW.replace("    return client", "    reply = client").rstrip() + "\n    return reply, messages\n"),
    "never sent": ("messages_mutated", "def add(messages, text):\n    messages.append(text)\n"),
    "a preview of JSON": ("json_cut", "import json\n\ndef f(log, rows):\n    log.debug(json.dumps(rows)[:200])\n    preview = json.dumps(rows)[:200]\n    return preview\n"),
    "text cut, not JSON": ("json_cut", "def f(text):\n    context = text[:200]\n    return context\n"),
}  # fmt: skip


@pytest.mark.parametrize("case", SILENT)
def test_is_silent(case: str, found: Callable[[str, Program], list[Any]]) -> None:
    detector, program = SILENT[case]
    assert found(detector, program) == []


ADVISED = {
    "a value without a field": ("prompt_fields", FILL.replace("query=query", "question=query, hint=1")),
    "a field without a value": ("prompt_fields", FILL.replace(", query=query", "")),
    "JSON in a prompt": ("json_cut", "import json\n\ndef f(rows):\n    context = json.dumps(rows)\n    prompt = f'Read {context[:2000]}'\n    return prompt\n"),
    "JSON in a message": ("json_cut", "import json\n\ndef f(rows):\n    return [{'role': 'user', 'content': 'Read ' + json.dumps(rows)[:900]}]\n"),
}  # fmt: skip


@pytest.mark.parametrize("case", ADVISED)
def test_is_advised(case: str, found: Callable[[str, Program], list[Any]]) -> None:
    detector, program = ADVISED[case]
    (finding,) = found(detector, program)
    assert finding.action == "advise"
