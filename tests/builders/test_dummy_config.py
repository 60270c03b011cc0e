"""A new config is an entry of the schema and a function from lines to rows: everything else iterates them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hub.stand_in import StandIn
from huggingface_hub import HfApi

from builders import build, check, diff, export, publish
from builders.checks.row_rules import schema
from builders.configs.schema import CONFIGS, LINES, Config
from builders.configs.tables import DERIVED, RowSettings
from cards.hub.client import Patience

SHOUTS = Config(LINES, "a line in capitals", "shouted lines", CONFIGS["lines"].meanings)
TOKEN = "hf_" + "dummyConfig" * 3


def shouts_of(lines: Sequence[Any], printed: Mapping[str, str], settings: RowSettings) -> list[Any]:
    return [{**line, "text": line["text"].upper()} for line in lines]


@pytest.fixture
def shouts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(CONFIGS, "shouts", SHOUTS)
    monkeypatch.setitem(DERIVED, "shouts", shouts_of)
    yield
    schema.cache_clear()


@pytest.mark.slow
@pytest.mark.usefixtures("shouts")
def test_everything_iterates_the_schema(
    hub: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert build.main(["--no-cache", "--jobs", "1"]) == 0
    card = Path("friends-lines/README.md").read_text(encoding="utf-8")
    assert "| `shouts` | a line in capitals |" in card
    assert "### `shouts`" in card
    assert "shouted lines" in Path("friends-lines/croissant.json").read_text(encoding="utf-8")
    capsys.readouterr()
    assert check.main(["friends-lines"]) == 0
    assert " shouts" in capsys.readouterr().out
    assert diff.main(["friends-lines", "friends-lines"]) == 0
    assert "shouts: no change" in capsys.readouterr().out
    assert export.main(["friends-lines", "--format", "jsonl", "--config", "shouts", "--out", "out"]) == 0
    assert "shouts" in {path.name for path in Path("out").iterdir()}
    capsys.readouterr()
    hub.add_user("ana", TOKEN)
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    manifest, problems = publish.check(Path("friends-lines"))
    options = publish.parser().parse_args(["friends-lines", "ana/friends-lines"])
    publish.publish(options, manifest, HfApi(endpoint=hub.url, token=TOKEN), Patience(sleep=lambda seconds: None))
    assert not problems
    assert "loaded    shouts: " in capsys.readouterr().out


@pytest.mark.usefixtures("shouts")
def test_check_sees_a_wrong_row_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    assert build.main(["--no-cache", "--jobs", "1"]) == 0
    monkeypatch.setitem(DERIVED, "shouts", lambda lines, printed, settings: list(lines))
    assert check.main(["friends-lines"]) == 1
    assert "shouts/train-00000-of-00001.parquet: row 0" in capsys.readouterr().out
