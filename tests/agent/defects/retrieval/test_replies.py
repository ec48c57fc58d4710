"""How replies of a language model are asked for and read: JSON mode, failures taken for nothing, defaults taken for answers."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

Program = str | Mapping[str, str]

ASK = """
import json

def facts(client, text):
    reply = client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": f"Facts as JSON: {text}"}]
    )
    return json.loads(reply.choices[0].message.content)["facts"]
"""
WRAPPER = """
class Llm:
    def ask(self, prompt, response_format=None):
        options = {"response_format": response_format} if response_format else {}
        reply = self.client.chat.completions.create(model="m", messages=prompt, **options)
        return reply.choices[0].message.content

def facts(llm, text):
    reply = llm.ask("Facts as JSON: " + text)
    return extract_json(reply)["facts"]
"""
PARSE = """
import json

def facts(client, text):
    reply = client.chat.completions.create(model="m", messages=text, response_format=JSON)
    content = reply.choices[0].message.content
    try:
        found = json.loads(content)
    except json.JSONDecodeError:
        return []
    return found.get("facts", [])
"""
TOOL = """
import json

def run(tools, message):
    for call in message.tool_calls:
        try:
            given = json.loads(call.function.arguments)
        except json.JSONDecodeError:
            given = {}
        tools[call.function.name](**given)
"""
BEFORE_AFTER: dict[str, tuple[str, Program, Program]] = {
    "JSON mode": (
        "json_mode_missing", ASK,
        ASK.replace('{text}"}]\n', '{text}"}], response_format={\'type\': \'json_object\'}\n'),
    ),
    "JSON mode, handed on by a wrapper": (
        "json_mode_missing", WRAPPER,
        WRAPPER.replace('" + text)', '" + text, response_format={\'type\': \'json_object\'})'),
    ),
    "a tool's arguments": (
        "parse_failure_as_empty", TOOL, TOOL.replace("function.arguments)", "function.arguments, strict=False)"),
    ),
    "a failure to parse": (
        "parse_failure_as_empty", PARSE,
        PARSE.replace("json.loads(content)", "json.loads(content[content.find('{'):content.rfind('}') + 1], strict=False)"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BEFORE_AFTER)
def test_is_mended(case: str, mended: Callable[[str, Program, Program], None]) -> None:
    mended(*BEFORE_AFTER[case])


SILENT = {
    "response_format is given": ("json_mode_missing", ASK.replace('model="m",', 'model="m", response_format=F,')),
    "tools are given": ("json_mode_missing", ASK.replace('model="m",', 'model="m", tools=T,')),
    "options may hold it": ("json_mode_missing", ASK.replace('model="m",', 'model="m", **options,')),
    "a client without it": ("json_mode_missing", ASK.replace("chat.completions.create", "messages.create")),
    "a prompt that does not say so": ("json_mode_missing", ASK.replace("as JSON", "as a table").replace("import json", "import json as j").replace("json.loads", "j.loads")),
    "not a reply": ("json_mode_missing", "import json\n\ndef read(path):\n    return json.loads(path.read_text())\n"),
    "text that is not parsed": ("json_mode_missing", ASK.replace('json.loads(reply.choices[0].message.content)["facts"]', "reply")),
    "the wrapper is asked for it": ("json_mode_missing", WRAPPER.replace('" + text)', '" + text, response_format=J)')),
    "the failure is logged": ("parse_failure_as_empty", PARSE.replace("        return []", "        log.warning(content)\n        return []")),
    "the failure is told": ("parse_failure_as_empty", PARSE.replace("        return []", "        raise")),
    "a file that does not parse": ("parse_failure_as_empty", PARSE.replace("reply.choices[0].message.content", "path.read_text()")),
    "a reply that still streams in": ("parse_failure_as_empty", TOOL.replace("given = json", "json").replace("            given = {}", "            continue").replace("(**given)", "()")),
    "an error for no answer": ("reply_default", "import re\n\ndef label(reply):\n    found = re.search('a|b', reply)\n    return found.group() if found else 'Error: no label'\n"),
    "another handler": ("parse_failure_as_empty", PARSE.replace("json.JSONDecodeError", "OSError")),
    "a default that is no answer": ("reply_default", "import re\n\ndef score(reply):\n    found = re.search(r'\\d', reply)\n    return int(found.group()) if found else None\n"),
    "a default of minus one": ("reply_default", "import re\n\ndef score(reply):\n    found = re.search(r'\\d', reply)\n    return int(found.group()) if found else -1\n"),
    "not a reply's default": ("reply_default", "import re\n\ndef port(url):\n    found = re.search(r'\\d+', url)\n    return int(found.group()) if found else 80\n"),
}  # fmt: skip


@pytest.mark.parametrize("case", SILENT)
def test_is_silent(case: str, found: Callable[[str, Program], list[Any]]) -> None:
    detector, program = SILENT[case]
    assert found(detector, program) == []


ADVISED = {
    "a list, looped over": ("json_mode_missing", ASK.replace("    return json.loads(reply.choices[0].message.content)[\"facts\"]", "    for one in json.loads(reply.choices[0].message.content):\n        print(one)")),
    "a wrapper that takes no format": ("json_mode_missing", WRAPPER.replace(", response_format=None", "").replace("        options = {\"response_format\": response_format} if response_format else {}\n", "").replace(", **options", "")),
    "fences are taken off already": ("parse_failure_as_empty", PARSE.replace("    try:", "    content = content.removeprefix('```json')\n    try:")),
    "a list is expected": ("parse_failure_as_empty", PARSE.replace('found.get("facts", [])', "found")),
    "parsed by a function of its own": ("parse_failure_as_empty", "import json\n\ndef parse(text):\n    try:\n        return json.loads(text)\n    except ValueError:\n        return []\n\ndef ask(client):\n    reply = client.chat.completions.create(model='m', response_format=F)\n    return parse(reply.choices[0].message.content)\n"),
    "a number for no answer": ("reply_default", "import re\n\ndef score(reply):\n    found = re.search(r'\\d', reply)\n    return int(found.group()) if found else 5\n"),
    "a label for no answer": ("reply_default", "import re\n\ndef label(client):\n    reply = client.chat.completions.create(model='m')\n    text = reply.choices[0].message.content.strip()\n    found = re.search('yes|no', text)\n    if found:\n        return found.group()\n    return 'no'\n"),
}  # fmt: skip


@pytest.mark.parametrize("case", ADVISED)
def test_is_advised(case: str, found: Callable[[str, Program], list[Any]]) -> None:
    detector, program = ADVISED[case]
    (finding,) = found(detector, program)
    assert finding.action == "advise"
    assert finding.rationale
