"""Tells prompts from other long sentences: error messages, help texts, warnings."""

import libcst as cst

from ..code_map import CodeMap, Prompt
from ..dotted import dotted_name

CLIENTS = frozenset(
    "openai anthropic litellm ollama transformers vllm llama_cpp mistralai cohere groq dspy langchain langchain_core "
    "langchain_openai llama_index huggingface_hub together replicate llm google.generativeai google.genai".split()
)
ENDPOINTS = (b"/chat/completions", b"/api/generate", b"/v1/messages", b"/completions")
NAMES = ("prompt", "instruction", "system_message", "few_shot")
MESSAGES = frozenset(
    "warn warning error info debug critical exception log print add_argument ArgumentParser exit".split()
)


def reaches_a_model(code: CodeMap) -> bool:
    """Whether the repository imports a client of a language model or names an endpoint of one."""
    for imported in code.imports:
        parts = imported.module.split(".")
        if parts[0] in CLIENTS or ".".join(parts[:2]) in CLIENTS:
            return True
    return any(mark in source for source in code.sources.values() for mark in ENDPOINTS)


def is_prompt(code: CodeMap, prompt: Prompt, phrase: str) -> bool:
    """Whether the text goes to a model as far as its place tells: a file, a telling name, or a string of a repository
    that talks to a model, unless it is raised, logged, printed or a docstring."""
    if not prompt.file.endswith(".py"):
        return True
    named = any(word in prompt.symbol.lower() for word in NAMES)
    if not (named or reaches_a_model(code)) or prompt.file not in code.python_files:
        return False
    return not _is_message(code.module(prompt.file), phrase)


def _is_message(module: cst.Module, phrase: str) -> bool:
    found = False

    class Look(cst.CSTVisitor):
        def visit_Raise(self, node: cst.Raise) -> None:
            self._look(node)

        def visit_Expr(self, node: cst.Expr) -> None:
            if isinstance(node.value, cst.BaseString):  # a docstring, or a note below a field
                self._look(node)

        def visit_Assert(self, node: cst.Assert) -> None:
            self._look(node)

        def visit_Call(self, node: cst.Call) -> None:
            if dotted_name(node.func).split(".")[-1] in MESSAGES:
                self._look(node)

        def _look(self, node: cst.CSTNode) -> None:
            nonlocal found
            found = found or phrase in module.code_for_node(node)

    module.visit(Look())
    return found
