"""Which files come first."""

from hypothesis import given
from hypothesis import strategies as st

from branchlab.agent.ast_facts import ast_facts
from branchlab.agent.imports import Modules
from branchlab.agent.readable import parse
from branchlab.agent.relevance import MAX_DEFINERS, Relevance, Uses, edges, page_rank, relevance


def uses(**files: str) -> dict[str, Uses]:
    names = {name.replace("__", "/") + ".py": text for name, text in files.items()}
    return {file: Uses.of(ast_facts(file, *parse(text.encode()))) for file, text in names.items()}


def ranked(entry: list[str], **files: str) -> Relevance:
    found = uses(**files)
    return relevance(found, entry, Modules(found))


def test_the_entry_comes_first_then_what_it_reaches_then_the_rest() -> None:
    found = ranked(
        ["train.py"], train="import model", model="import layers", layers="", aaa="import layers\nimport model"
    )
    assert list(found.shares) == ["train.py", "model.py", "layers.py", "aaa.py"]
    assert found.reached == ("train.py", "model.py", "layers.py")
    assert found.shares["aaa.py"] == 0


def test_what_is_used_most_comes_before_what_is_used_once() -> None:
    names = "\n".join(f"from often import f{n}" for n in range(5))
    found = ranked(["train.py"], train=f"{names}\nfrom once import g", often="", once="")
    assert list(found.shares) == ["train.py", "often.py", "once.py"]


def test_a_name_that_many_define_makes_no_edges() -> None:
    few = {f"d{n}": "def build(): pass" for n in range(MAX_DEFINERS)}
    many = few | {"d_more": "def build(): pass"}
    for definers, wanted in ((few, MAX_DEFINERS), (many, 0)):
        found = uses(train="build()", **definers)
        assert len(edges(found, Modules(found))["train.py"]) == wanted


def test_scripts_are_the_entry_when_none_is_given_and_tests_are_not() -> None:
    main = "if __name__ == '__main__':\n    pass\n"
    loop = "for x in data:\n    loss.backward()\n    optimizer.step()\n"
    assert ranked([], run=main, model="", tests__test_a=main).entry == ("run.py",)
    assert ranked([], train=loop, model="").entry == ("train.py",)
    assert ranked([], app="import model", model="").entry == ("app.py",)


FILES = [f"f{n}.py" for n in range(6)]
GRAPHS = st.dictionaries(
    st.sampled_from(FILES), st.dictionaries(st.sampled_from(FILES), st.floats(0.1, 5), max_size=4), max_size=6
)


@given(GRAPHS, st.lists(st.sampled_from(FILES), unique=True))
def test_shares_add_up_and_nothing_is_negative(graph: dict[str, dict[str, float]], start: list[str]) -> None:
    shares = page_rank(graph, FILES, start)
    assert abs(sum(shares.values()) - 1) < 1e-6
    assert min(shares.values()) >= 0
    assert set(shares) == set(FILES)
