"""`make lesson`: its steps are real commands, and the faults it plants are caught by the checks that it names."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import forked
import pytest

from builders import build, check
from train import lesson
from train.lessons.faults import FAULTS
from train.settings.base_preset import packaged

pytestmark = pytest.mark.usefixtures("own_environment")


def test_every_stage_has_three_lines_and_a_command(tmp_path: Path) -> None:
    told = lesson.stages(tmp_path)
    assert [stage.title for stage in told][-1] == "compare"
    for stage in told:
        assert len(stage.why) == 3 and all(stage.why) and stage.commands, stage.title
    assert set(lesson.FORMATS) == set(lesson.TAUGHT) == set(packaged("recipes"))


def test_a_stage_that_fails_ends_the_lesson(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    ran: list[str] = []

    def failing(arguments: list[str], check: bool) -> subprocess.CompletedProcess[str]:
        ran.append(arguments[2])
        return subprocess.CompletedProcess(arguments, int(arguments[2] == "builders.check"))

    monkeypatch.setattr(subprocess, "run", failing)
    assert lesson.main(["--out", str(tmp_path)]) == 1
    assert ran == ["friends_corpus.parse", "builders.build", "builders.check"]
    printed = capsys.readouterr()
    assert "'datasets' failed" in printed.err
    assert f"$ python -m builders.check {tmp_path}/friends-lines" in printed.out


@pytest.mark.parametrize(
    "check", [pytest.param("print('a leak')", id="passes"), pytest.param("exit('out of memory')", id="other-failure")]
)
def test_a_fault_that_slips_through_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, check: str
) -> None:
    monkeypatch.setenv("LESSON_FAULT", "leaked_split")
    fault = lesson.faults.Fault(("", "", ""), lambda *_: ("-c", check), "a leak", "")
    monkeypatch.setitem(FAULTS, "leaked_split", fault)
    monkeypatch.setattr(lesson, "run", lambda arguments: 0)
    assert lesson.main(["--out", str(tmp_path)]) == 1
    assert "no check caught it" in capsys.readouterr().err


def test_a_file_is_no_place_for_a_lesson(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    assert lesson.main(["--out", str(tmp_path / "notes.txt")]) == 2
    assert capsys.readouterr().err.endswith("notes.txt is not a folder; choose another\n")


def test_unknown_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv("LESSON_FAULT", "leaked_splits")
    assert lesson.main(["--out", str(tmp_path / "new")]) == 2
    assert "LESSON_FAULT is 'leaked_splits' (did you mean 'leaked_split'?)" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset of the lesson, which a lesson that finds it does not build again."""
    folder = tmp_path_factory.mktemp("lesson") / "friends-lines"
    assert build.main(["--out", str(folder)]) == 0
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_caught(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, fault: str
) -> None:
    """The commands are those of the lesson, in forks of the process that has loaded torch."""
    shutil.copytree(built, tmp_path / "friends-lines")
    for name in (fault, f"{fault}/base", f"{fault}/friends-lines"):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "thesis.txt").write_text("mine", encoding="utf-8")
    monkeypatch.setattr(subprocess, "run", lambda arguments, **_: forked.run(*arguments[1:], cwd=tmp_path))
    monkeypatch.setenv("LESSON_FAULT", fault)
    assert lesson.main(["--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert FAULTS[fault].said in printed
    assert f"caught: {FAULTS[fault].moral}" in printed
    assert check.main([str(tmp_path / "friends-lines")]) == 0  # the planting itself changed nothing else
    assert len(list((tmp_path / fault).rglob("thesis.txt"))) == 3
