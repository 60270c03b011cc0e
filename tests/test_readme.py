"""README and docs show what their commands print today, and name every command; the links between them lead somewhere."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from real import PAGES, needs_pages, skip_unless

import builders
import cards
import friends_corpus
import train
from friends_corpus.core.versions import REPOSITORY

ROOT = Path(__file__).parents[1]
PACKAGES = ("friends_corpus", "builders", "cards", "train")
FILES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PROSE = {path: path.read_text(encoding="utf-8") for path in FILES}


def benchmark(name: str):  # type: ignore[no-untyped-def]
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_file_is_stale(path: Path) -> None:
    assert benchmark("readme").fresh(PROSE[path]) == PROSE[path], "run python benchmarks/readme.py"


def test_the_readme_is_short() -> None:
    assert len(PROSE[ROOT / "README.md"].splitlines()) <= 180


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_links_lead_to_files_and_headings(path: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", PROSE[path]):
        linked = (path.parent / target).resolve() if target else path
        assert linked.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", linked.read_text(encoding="utf-8"), re.M)
            assert anchor in [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings], anchor


def test_every_command_is_documented() -> None:
    for package in ("friends_corpus", "builders", "train"):
        for path in sorted((ROOT / package).glob("*.py")):
            if re.search(r'__name__ == "__main__"', path.read_text(encoding="utf-8")):
                command = f"python -m {package}.{path.stem}"
                assert any(command in text for text in PROSE.values()), f"no file in docs has a word on {command}"


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks").glob("*.py")), ids=lambda path: path.stem)
def test_every_measurement_starts(path: Path) -> None:
    done = subprocess.run([sys.executable, path, "--help"], capture_output=True, text=True, check=True)
    assert f"python benchmarks/{path.name}" in done.stdout


def test_every_room_and_command_named_in_the_picture_exists() -> None:
    picture = PROSE[ROOT / "docs" / "architecture.md"].split("## The rooms")[1].split("```")[1]
    for name in re.findall(r"\b(\w+(?:\.py|/))", picture):
        assert list(ROOT.glob(f"*/{name}")) or (ROOT / name).exists(), name
    rooms = {path.name for package in PACKAGES for path in (ROOT / package).iterdir() if path.is_dir()}
    assert {room for room in rooms if f"{room}/" not in picture} <= {"__pycache__", "accelerate"}


@pytest.mark.slow
@needs_pages
def test_quality_figures_are_todays() -> None:
    quality = benchmark("quality")
    figures = json.loads(quality.RESULT.read_text())
    skip_unless(figures["pages"])
    if not (PAGES.parents[1] / "tools").is_dir():
        pytest.skip(f"no scorers beside {PAGES}")
    assert quality.measure(PAGES) == figures


def test_architecture_names_what_is_there() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    steps = re.findall(r"`(\w+/[\w/]*\.py)`((?:[:,]? ?(?:and )?`\w+`,?\s?)*)", text)
    assert len(steps) > 30
    for file, names in steps:
        source = (ROOT / file).read_text(encoding="utf-8")
        for name in re.findall(r"`(\w+)`", names):
            assert re.search(rf"^\s*(?:def|class) {name}\b|^{name}\b.*=", source, re.M), f"{file}: {name}"
    for room in re.findall(r"`(\w+/[\w/]+/)`", text):
        assert (ROOT / room).is_dir(), room


def test_the_table_of_attacks_is_that_of_the_last_run_and_all_are_in_it() -> None:
    attack = benchmark("attack")
    figures = json.loads(attack.RESULTS.read_text(encoding="utf-8"))
    rows = {(row["area"], row["attack"]) for row in figures["rows"]}
    assert rows == attack.marked(), "run: make attack"
    assert all(row["tried"] > 0 and row["lost"] == 0 for row in figures["rows"])
    assert attack.table(figures) in (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")


def test_a_failed_attack_is_lost() -> None:
    """With as many tries as the test told of; a skipped one was not tried."""
    counts = benchmark("attack").Counts()
    for outcome, when, told in [
        ("passed", "setup", 3),
        ("passed", "call", 3),
        ("failed", "call", 5),
        ("skipped", "setup", 1),
        ("failed", "setup", 1),
    ]:
        properties = [("attack", ["fetch", "x"]), ("tried", told)]
        counts.pytest_runtest_logreport(
            pytest.TestReport("a", ("a", 0, "a"), {}, outcome, None, when, user_properties=properties)
        )
    assert counts.rows() == [{"area": "fetch", "attack": "x", "tried": 9, "lost": 2}]


def test_the_version_is_one() -> None:
    version = re.search(r"^version = (\S+)$", (ROOT / "setup.cfg").read_text(encoding="utf-8"), re.M)
    assert version
    assert f"version: {version[1]}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"## {version[1]} – " in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert {version[1]} == {package.__version__ for package in (friends_corpus, builders, train, cards)}


def test_the_repository_has_one_address() -> None:
    for name, key in (("setup.cfg", "url = "), ("CITATION.cff", "repository-code: ")):
        assert f"{key}{REPOSITORY}\n" in (ROOT / name).read_text(encoding="utf-8")
