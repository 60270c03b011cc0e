"""Speakers of a ConvoKit corpus are persons: not the order of a label, and not a name that two share."""

from __future__ import annotations

import json
from typing import Any

import pytest
from invented import episode

from builders.configs.lines import line_rows
from builders.export import csv_cell
from builders.interop.convokit import convokit_files

MANIFEST: Any = {"dataset": "friends-lines", "version": "1.0.0", "show": {"archive": ""}}


@pytest.mark.parametrize(
    ("speakers", "names"),
    [
        pytest.param([("Joey and Ross", []), ("Ross and Joey", [])], ["Joey and Ross"] * 2, id="order"),
        pytest.param([("Paolo", ["paolo"]), ("Paulo", ["paolo"])], ["Paolo"] * 2, id="two-spellings"),
        pytest.param([("Mike", ["mike"]), ("Mike", ["mike-hannigan"])], ["Mike", "mike-hannigan"], id="two-persons"),
    ],
)
def test_speakers_are_persons(speakers: list[tuple[str, list[str]]], names: list[str]) -> None:
    rows = line_rows(episode([(name, "Hi.") for name, _ in speakers]))
    rows = [row | ({"speaker_ids": ids} if ids else {}) for row, (_, ids) in zip(rows, speakers, strict=True)]
    files = list(convokit_files([("train", row) for row in rows], MANIFEST))
    utterances = [json.loads(text) for name, text in files if name == "utterances.jsonl"]
    assert [utterance["speaker"] for utterance in utterances] == names
    assert set(json.loads(dict(files)["speakers.json"])) == set(names)


def test_raw_csv() -> None:
    assert [csv_cell("=1", raw) for raw in (False, True)] == ["'=1", "=1"]
