"""Dependency files: what is read of them, and that each line a build could not be keyed by is refused in one line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from branchlab.targets.errors import TargetError
from branchlab.targets.requirements import Requirements, collect


def read(text: str, **more: str) -> Requirements:
    files = {"requirements.txt": text, **{name.replace("__", "/").replace("_", "."): t for name, t in more.items()}}
    return collect(["requirements.txt"], lambda path: files[path].encode() if path in files else None)


def test_names_versions_markers_hashes_and_comments() -> None:
    found = read(
        "\ufeff# why\nnumpy>=1.26  # fast\n\ntorch==2.6; python_version >= '3.11' \\\n    --hash=sha256:0a1b \\\n"
        "    --hash=sha256:2c3d\nrich[jupyter] ~= 14.0\n--pre\n"
    )
    assert found.lines == ("numpy>=1.26", "torch==2.6; python_version >= '3.11'", "rich[jupyter] ~= 14.0")
    assert found.special == ()
    assert found.roots == ("requirements.txt",)
    given_to_pip = found.files["requirements.txt"].splitlines()
    assert given_to_pip[0] == "numpy>=1.26"
    assert given_to_pip[1].split() == (
        "torch==2.6; python_version >= '3.11' --hash=sha256:0a1b --hash=sha256:2c3d".split()
    )


def test_included_files_are_part_of_it_and_constraints_are_no_requirements() -> None:
    found = collect(
        ["deps/all.txt"],
        {
            "deps/all.txt": b"-r ../base.in\n--constraint=limits.txt\nnumpy\n",
            "base.in": b"-r deps/all.txt\nscipy\n",
            "deps/limits.txt": b"scipy<2\n",
            "other.txt": b"torch\n",
        }.get,
    )
    assert found.lines == ("scipy", "numpy")
    assert found.sources == {"deps/all.txt", "base.in", "deps/limits.txt"}
    assert set(found.files) == set(found.sources)


def test_only_the_dependencies_of_a_pyproject_count() -> None:
    def pyproject(rest: str) -> Requirements:
        text = f'[project]\nname = "x"\ndependencies = ["numpy>=1", "rich"]\n{rest}'
        return collect(["pyproject.toml"], {"pyproject.toml": text.encode()}.get)

    found = pyproject("[tool.ruff]\nline-length = 100\n")
    assert found == pyproject("")
    assert found.files == {"pyproject.toml.txt": "numpy>=1\nrich\n"}
    assert found.roots == ("pyproject.toml.txt",)
    assert found.sources == {"pyproject.toml"}


@pytest.mark.parametrize(
    "line",
    [
        "x @ https://example.org/x.whl",
        "git+https://example.org/x@v1#egg=x",
        "https://example.org/x.tar.gz",
        "--extra-index-url https://example.org/simple",
        "-f https://example.org/list.html",
        "-ihttps://example.org/simple",
        "--no-binary :all:",
    ],
)
def test_lines_that_lead_elsewhere_or_build_from_source_are_marked(line: str) -> None:
    assert read(f"numpy\n{line}\n").special == (line,)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("-e .", "path"),
        ("-e git+https://example.org/x", "path"),
        (".", "path"),
        ("./wheels/x.whl", "path"),
        ("wheels/x.whl", "path"),
        ("x @ file:///etc", "path"),
        ("file:///etc", "path"),
        ("git+ssh://git@example.org/x", "path"),
        ("--index-url file:///srv/simple", "URL"),
        ("--find-links wheels", "PIP_FIND_LINKS"),
        ("--index-url https://${PIP_INDEX_URL}/", "no variables"),
        ("x==${VERSION}", "no variables"),
        ("--trusted-host example.org", "--index-url"),
        ("--global-option=x", "--index-url"),
        ("-r", "--index-url"),
        ("numpy --config-settings=x=y", "--hash only"),
        ("numpy --hash=sha256:00 -e .", "--hash only"),
        ("-r ../outside.txt", "outside the repository"),
        ("-r /etc/passwd", "not a file of the repository"),
        ("-r https://example.org/r.txt", "not a file of the repository"),
        ("-r pyproject.toml", ".txt or .in"),
        ("-r missing.txt", "no such file"),
        ("numpy=1", "NAME with versions"),
        ("two words", "NAME with versions"),
        ("--index-url 'https://x", "not a line"),
        ("x.whl --hash=sha256:zz", "--hash only"),
    ],
)
def test_what_cannot_be_keyed_is_refused_with_its_line(line: str, said: str) -> None:
    with pytest.raises(TargetError) as caught:
        read(f"numpy\n\n{line}\n", **{"pyproject_toml": ""})
    text = str(caught.value)
    assert said in text
    assert "requirements.txt:3" in text
    assert "\n" not in text


@pytest.mark.parametrize("text", ["", "[project]\n", "[project]\ndynamic = ['dependencies']\n", "[project", "x = 1\n",
                                  "[project]\ndependencies = [1]\n", '[project]\ndependencies = ["a\\n-e ."]\n'])  # fmt: skip
def test_a_pyproject_without_a_list_of_dependencies_is_refused(text: str) -> None:
    with pytest.raises(TargetError, match=r"pyproject\.toml"):
        collect(["pyproject.toml"], {"pyproject.toml": text.encode()}.get)


def test_missing_too_large_and_binary_files_are_refused() -> None:
    for data in (None, b"\xff\xfe", b"#" * 1_000_001):
        with pytest.raises(TargetError):
            collect(["r.txt"], {"r.txt": data}.get)


TEXTS = st.text() | st.text(st.sampled_from("-rceif=;> \\#\n\t\x0c\x85\u2028./:ab1@$'\"[]"), max_size=40)


@given(TEXTS)
def test_any_text_is_refused_or_read_the_same_twice(text: str) -> None:
    try:
        found = read(text)
    except TargetError:
        return
    # What pip is given reads the same once more: no line of it is a surprise.
    again = read(found.files["requirements.txt"])
    assert (again.lines, again.special, again.files) == (found.lines, found.special, found.files)


@pytest.mark.parametrize("line", ["--only-binary :none:", "--only-binary=:all:,:none:"])
def test_what_asks_for_build_scripts_again_is_special(line: str) -> None:
    assert read(f"{line}\nnumpy\n").special == (line,)
    assert read("--only-binary :all:\nnumpy\n").special == ()


def test_a_long_line_costs_no_more_than_its_length() -> None:
    """A test that ran into the suite's time limit before: a comment was looked for from every blank."""
    spaces = " " * 400_000
    assert read(f"numpy{spaces}# why\n").files == read("numpy\n").files
    with pytest.raises(TargetError, match="at most 4096 characters"):
        read(f"numpy{spaces}; python_version > '3'\n")
