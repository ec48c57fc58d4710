"""Where packages come from, as the host is set up: what is passed on, what is shown, and what is never printed."""

from pathlib import Path

import pytest

from branchlab.sandbox.indexes import of_host
from branchlab.targets.errors import TargetError

URL = "https://ada:hunter2%21secret@packages.example.org/simple"


def host(tmp_path: Path, config: str = "", **variables: str) -> dict[str, str]:
    (tmp_path / "pip.conf").write_text(config)
    return {"PIP_CONFIG_FILE": str(tmp_path / "pip.conf"), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin", **variables}


def test_pips_files_and_variables_are_read_as_pip_reads_them(tmp_path: Path) -> None:
    (tmp_path / "limits.txt").write_text("numpy<3\n")
    config = (
        f"[global]\nindex-url = https://one.example.org/\nconstraint = {tmp_path}/limits.txt\ntimeout = 60\n"
        "[install]\nextra-index-url =\n    https://two.example.org/\n    https://three.example.org/\n"
    )
    found = of_host("pip", host(tmp_path, config, PIP_INDEX_URL=URL, HTTPS_PROXY="http://proxy:3128"))
    told = found.environment("pip", certificate="", constraints=["/work/c.txt"])
    assert told["PIP_INDEX_URL"] == URL
    assert told["PIP_EXTRA_INDEX_URL"] == "https://two.example.org/ https://three.example.org/"
    assert (told["PIP_TIMEOUT"], told["PIP_CONSTRAINT"], told["HTTPS_PROXY"]) == (
        "60",
        "/work/c.txt",
        "http://proxy:3128",
    )
    assert told["PIP_CONFIG_FILE"] == "/dev/null"
    assert found.constraints == (tmp_path / "limits.txt",)
    assert "HOME" not in told


def test_a_password_is_known_as_one_and_never_shown(tmp_path: Path) -> None:
    found = of_host("pip", host(tmp_path, PIP_INDEX_URL=URL, http_proxy="http://eve:proxy-pass@proxy:3128"))
    assert {"ada:hunter2%21secret", "hunter2%21secret", "hunter2!secret", "proxy-pass"} <= set(found.secrets)
    assert "hunter2" not in repr(found)
    assert "proxy-pass" not in repr(found)
    assert of_host("pip", host(tmp_path, PIP_INDEX_URL="https://packages.example.org/simple")).secrets == ()


def test_uv_has_its_own_settings_or_those_of_pip(tmp_path: Path) -> None:
    own = of_host("uv", host(tmp_path, UV_INDEX=f"mine={URL} https://x.example.org/?a=b", PIP_INDEX_URL="https://pip/"))
    assert (own.index, own.extra) == ("", (URL, "https://x.example.org/?a=b"))
    shared = of_host("uv", host(tmp_path, PIP_INDEX_URL="https://pip/"))
    assert shared.environment("uv", certificate="", constraints=[])["UV_DEFAULT_INDEX"] == "https://pip/"


def test_only_named_folders_are_shown_and_no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("home/wheels", "mirror/simple", "mirror/files", "home/simple"):
        (tmp_path / folder).mkdir(parents=True)
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    places = f"{home}/wheels {home} / file://{tmp_path}/mirror/files {tmp_path}/nowhere https://x.example.org/"
    found = of_host("pip", host(home, PIP_FIND_LINKS=places, PIP_INDEX_URL=f"file://{tmp_path}/mirror/simple"))
    assert found.folders() == (home / "wheels", tmp_path / "mirror" / "files", tmp_path / "mirror")
    beside_home = of_host("pip", host(home, PIP_INDEX_URL=f"file://{home}/simple"))
    assert beside_home.folders() == (home / "simple",)


def test_a_named_file_that_is_missing_is_one_line(tmp_path: Path) -> None:
    for name in ("PIP_CERT", "PIP_CONSTRAINT"):
        with pytest.raises(TargetError, match="not there"):
            of_host("pip", host(tmp_path, **{name: str(tmp_path / "gone.pem")}))


@pytest.mark.parametrize("proxy", ["ada:proxy-pass@127.0.0.1:3128", "http://ada:proxy-pass@127.0.0.1:3128"])
def test_a_proxy_with_a_password_is_a_secret_with_and_without_a_scheme(tmp_path: Path, proxy: str) -> None:
    assert "proxy-pass" in of_host("pip", host(tmp_path, HTTP_PROXY=proxy)).secrets
    assert of_host("pip", host(tmp_path, HTTP_PROXY="127.0.0.1:3128")).secrets == ()
