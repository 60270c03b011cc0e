"""`python -m builders.publish` as a user runs it; the core that it shares is in test_release.py."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hub.stand_in import StandIn
from huggingface_hub import HfApi
from invented import write_pages
from publisher import TOKEN

from builders import build, publish
from cards.hub.client import Patience
from cards.hub.files import ReleaseError, check_secrets, outgoing

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _ana(request: pytest.FixtureRequest) -> None:
    """A user for the tests that need a Hub."""
    if "hub" in request.fixturenames:
        request.getfixturevalue("hub").add_user("ana", TOKEN)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset built from four invented pages."""
    place = tmp_path_factory.mktemp("dataset")
    out = place / "friends-lines"
    pages = write_pages(place / "pages")
    assert build.main(["--pages", str(pages), "--out", str(out), "--jobs", "1", "--no-cache"]) == 0
    return out


def command(hub: StandIn, home: Path, *arguments: str, xet: bool = False, **settings: str) -> dict[str, Any]:
    """The arguments of subprocess for the command as a user runs it, away from the repository."""
    home.mkdir(exist_ok=True)
    environment = hub.environment(home / "hf", TOKEN, xet=xet) | {"PYTHONPATH": str(ROOT), **settings}
    return {"args": [sys.executable, "-m", "builders.publish", *arguments], "env": environment, "cwd": home}


@pytest.mark.slow
@pytest.mark.parametrize("xet", [False, True], ids=["lfs", "xet"])
def test_the_command(hub: StandIn, folder: Path, tmp_path: Path, xet: bool) -> None:
    """Published, loaded back, published again; at DEBUG the token is in no output and no file."""
    name = "ana/friends-lines"
    loud = {"HF_DEBUG": "1", "HF_HUB_VERBOSITY": "debug", "DATASETS_VERBOSITY": "debug"}
    run = command(hub, tmp_path / "home", str(folder), name, xet=xet, **loud)
    done = subprocess.run(**run, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "loaded    chunks: " in done.stdout
    assert done.stdout.endswith(f'load_dataset("{name}", "lines", revision="v1.0.0")\n')
    published = hub.files("dataset", name, "v1.0.0")
    assert {path for path in published if path != ".gitattributes"} == {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    }
    assert all(published[path.relative_to(folder).as_posix()] == path.read_bytes() for path in folder.rglob("*.*"))
    assert hub.visibility("dataset", name) == "private"
    hub.clear_log()
    again = subprocess.run(**run, capture_output=True, text=True, timeout=300)
    assert again.returncode == 0, again.stderr
    assert "v1.0.0, there already" in again.stdout
    assert not [entry for entry in hub.log() if entry.method in ("POST", "PUT") and "paths-info" not in entry.path]
    assert [commit["title"] for commit in hub.commits("dataset", name)] == ["Release v1.0.0", "initial commit"]
    left = b"".join(path.read_bytes() for path in (tmp_path / "home").rglob("*") if path.is_file())
    said = (done.stdout + done.stderr + again.stdout + again.stderr).encode()
    for where, text in (("output", said), ("home", left), ("hub", b"".join(published.values()))):
        assert TOKEN.encode() not in text, where
    assert b"curl" in said  # it was loud indeed


@pytest.mark.attack("kill -9", "a release")
@pytest.mark.slow
def test_killed_between_upload_and_commit(hub: StandIn, folder: Path, tmp_path: Path) -> None:
    name = "ana/friends-lines"
    run = command(hub, tmp_path / "home", str(folder), name)
    hub.fault("POST .*/commit/", "hang")
    process = subprocess.Popen(**run, stdout=subprocess.DEVNULL)
    limit = time.monotonic() + 300
    while hub.faults_left():
        assert process.poll() is None and time.monotonic() < limit
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert [entry for entry in hub.log() if entry.method == "PUT"]
    assert len(hub.commits("dataset", name)) == 1
    hub.clear_faults()
    hub.clear_log()
    done = subprocess.run(**run, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert not [entry for entry in hub.log() if entry.method == "PUT"]
    assert [commit["title"] for commit in hub.commits("dataset", name)] == ["Release v1.0.0", "initial commit"]


@pytest.mark.slow
def test_reading_back_is_patient_and_exact(
    hub: StandIn, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    name = "ana/friends-lines"
    manifest, problems = publish.check(folder)
    assert problems == []
    options = publish.parser().parse_args([str(folder), name])
    waits: list[float] = []
    api, patience = HfApi(endpoint=hub.url, token=TOKEN), Patience(sleep=waits.append)
    hub.fault("(HEAD|GET) .*/resolve/.*/lines/", status=404)
    publish.publish(options, manifest, api, patience)
    assert (len(waits), hub.faults_left()) == (1, 0)
    assert "loaded    named_lines: " in capsys.readouterr().out
    monkeypatch.setattr(publish, "READ_BACK", "raise SystemExit('no " + "' + 'luck')")
    with pytest.raises(ReleaseError, match=r"v1.0.0 is published, but loading it failed: no luck; run the command"):
        publish.publish(options, manifest, api, patience)
    rows = {"lines": {"train": [1, "other"]}}
    monkeypatch.setattr(publish, "READ_BACK", f"import json; print(json.dumps({rows!r}))")
    with pytest.raises(ReleaseError, match="config lines loads different rows than"):
        publish.publish(options, manifest, api, patience)


def test_no_dataset_is_published(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert publish.main([str(tmp_path), "ana/x"]) == 2
    [error] = capsys.readouterr().err.splitlines()
    assert f"no dataset folder {tmp_path}" in error
    assert "builders.build" in error


@pytest.mark.attack("publish faults", "damaged folders")
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        pytest.param(lambda out: (out / "stats.json").write_text("{}"), "does not match its manifest", id="changed"),
        pytest.param(lambda out: (out / "note.txt").write_text("x"), "does not match its manifest", id="another-file"),
        pytest.param(lambda out: (out / "quality.md").unlink(), "does not match its manifest", id="missing"),
    ],
)
def test_a_damaged_folder_is_not_published(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: Callable[[Path], Any], message: str
) -> None:
    out = Path(shutil.copytree(folder, tmp_path / "friends-lines"))
    damage(out)
    assert publish.main([str(out), "ana/x"]) == 1
    error, remedy = capsys.readouterr().err.splitlines()
    assert error.startswith(f"error: {out}")
    assert message in error
    assert remedy == f"the folder is unchanged; to try again: python -m builders.publish {out} ana/x"


def test_the_rows_in_compressed_files_are_looked_through(tmp_path: Path) -> None:
    table = pa.table({"id": ["a"] * 50, "text": [f"key {TOKEN}"] * 50})
    pq.write_table(table, tmp_path / "x.parquet", compression="zstd", use_dictionary=False, write_statistics=False)
    file = outgoing("x.parquet", (tmp_path / "x.parquet").read_bytes())
    with pytest.raises(ReleaseError, match=r"x.parquet \(rows as lines\): line 1 holds the token in use"):
        check_secrets(publish.unpacked([file]), TOKEN, [])


@pytest.mark.parametrize("arguments", ["", "friends-lines", "friends-lines a/b/c", "friends-lines a/b --private"])
def test_bad_usage(arguments: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        publish.main(arguments.split())
    assert ended.value.code == 2
