"""The one reader of structured files: whatever is in them ends in a line with file, place and remedy, in no time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isnan
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field
from typing_extensions import TypedDict

from friends_corpus.core.cli import InputError
from friends_corpus.core.reader import (
    LARGEST,
    Text,
    Unreadable,
    closed,
    csv_values,
    faults,
    json_values,
    load,
    read,
    yaml_values,
)

SECOND = 1.0  # of computing; most take a hundredth
DEEP = 100_000
LAUGHS = "a: &a [lol]\n" + "".join(
    f"{after}: &{after} [{', '.join([f'*{name}'] * 9)}]\n" for name, after in zip("abcdefgh", "bcdefghi", strict=True)
)


@closed
@dataclass(frozen=True)
class Entry:
    """One of a list."""

    id: Text
    share: Annotated[float, Field(ge=0, le=1)] = 0.0


@closed
class File(TypedDict, total=False):
    """A file of each sort of value."""

    title: Text
    count: int
    kind: Literal["page", "scene"]
    entries: list[Entry]
    notes: dict[str, str | None]
    anything: Any


class Open(TypedDict):
    """A file that may hold more than is read of it."""

    count: int


def fails(path: Path, parse: Callable[[bytes], Any], content: bytes, schema: Any = File) -> str:
    """Return the line that a file ends in."""
    path.write_bytes(content)
    started = time.process_time()
    with pytest.raises(InputError) as caught:
        read(path, parse, schema, "write it anew")
    assert time.process_time() - started < SECOND
    [line] = caught.value.args
    assert len(line) < 600
    assert line.isprintable()
    assert line.startswith(f"{path}: ")
    assert line.endswith("; write it anew")
    return str(line.removeprefix(f"{path}: ").removesuffix("; write it anew"))


@pytest.mark.attack("foreign files", "YAML")
@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param("", "object … None", id="empty"),
        pytest.param("- a", "object", id="list"),
        pytest.param("title: [", "cannot be read … line 1", id="no-yaml"),
        pytest.param("a: 1\n---\nb: 2", "cannot be read … line 2 … another document", id="two-documents"),
        pytest.param(LAUGHS, "line 1: … aliases, anchors … refused", id="billion-laughs"),
        pytest.param("anything: &a [*a]", "line 1: … aliases, anchors … refused", id="in-itself"),
        pytest.param("anything: *a", "line 1: … undefined alias", id="alias"),
        pytest.param("title: &a x", "line 1: … anchors … refused", id="anchor"),
        pytest.param("<<: {title: x}", "unknown key '<<'", id="merge-key"),
        pytest.param("title: x\ntitle: y", "'title' stands twice", id="twice"),
        pytest.param("notes: {a: x, b: y, 'a': z}", "'a' stands twice", id="twice-inside"),
        pytest.param("? [a]\n: b", "cannot be read … line 1 … scalar", id="list-for-key"),
        pytest.param("anything: " + "[" * DEEP, "cannot be read", id="deep"),
        pytest.param("anything: " + "[" * 60 + "]" * 60, "nested more than 40 levels", id="deeper"),
        pytest.param("anything:\n" + "\n".join(" " * n + "a:" for n in range(1, 400)), "cannot be read", id="deep-keys"),
        pytest.param(" " * 100_000_000, "more than 131,072 bytes", id="blanks"),
        pytest.param("title: " + "x" * 300_000, "more than 131,072 bytes", id="large"),
        pytest.param("title: \0", "cannot be read … x0000", id="nul"),
        pytest.param("title: \x1b[31m", "cannot be read … x001b", id="escape"),
        pytest.param("count: " + "9" * 10_000, "line 1: … 99 digits", id="number-of-10000-digits"),
        pytest.param("count: 0x" + "f" * 10_000, "line 1: … 99 digits", id="hexadecimal"),
        pytest.param("count: 1" + ":59" * 40_000, "line 1: … 99 digits", id="sexagesimal"),
        pytest.param("count: 0b_", "cannot be read", id="no-digit"),
        pytest.param("count: 1994-09-22", "count: … integer … '1994-09-22'", id="date-for-number"),
        pytest.param("title: 0101", "title: … string … 65", id="octal"),
        pytest.param('title: "\\ud800 hi"', "whole characters … \\ud800 hi", id="half-a-character"),
        pytest.param('notes: {"\\udc00": hi}', "whole characters", id="half-a-character-in-a-key"),
        pytest.param("title: !!python/object/apply:os.getcwd []", "line 1: … tags … refused", id="python"),
        pytest.param("title: !!binary aGk=", "line 1: … tags … refused", id="binary"),
        pytest.param("count: !!int ''", "cannot be read", id="empty-int"),
        pytest.param("title: =", "cannot be read … line 1", id="value-tag"),
        pytest.param("count: true", "count: … integer … True", id="bool"),
        pytest.param("count: 1.0", "count: … integer … 1.0", id="float"),
        pytest.param("titel: x", "unknown key 'titel' (did you mean 'title'?)", id="misspelt"),
        pytest.param("zzz: x", "unknown key 'zzz' … title, count", id="unknown"),
        pytest.param("k" * 900 + ": x", "unknown key 'kkk", id="long-key"),
        pytest.param("entries: [{id: a}, {idd: b}]", "entries.1: unknown key 'idd' … 'id'", id="misspelt-inside"),
        pytest.param("entries: [{id: a}, {}]", "entries.1.id: … required", id="missing"),
        pytest.param("entries: [{id: a, share: .nan}]", "entries.0.share: … nan", id="nan"),
        pytest.param("kind: line", "kind: … 'page' or 'scene' … 'line'", id="choice"),
        pytest.param("notes: {'\\u202e': 3}", "notes", id="direction"),
        pytest.param('notes: {"\\u202e\\e[31m": 3}', "notes.\\u202e\\x1b[31m: … string … 3", id="controls-in-a-key"),
        pytest.param("title: [" + "x, " * 1_000 + "]", "title: … string", id="long-list-for-text"),
    ],
)  # fmt: skip
def test_hostile_yaml(tmp_path: Path, content: str, words: str) -> None:
    line = fails(tmp_path / "x.yaml", yaml_values, content.encode(errors="surrogatepass"))
    assert all(word in line for word in words.split(" … ")), line


@pytest.mark.attack("foreign files", "JSON")
@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"", "cannot be read … Expecting value", id="empty"),
        pytest.param(b'{"title": ', "cannot be read … Expecting value", id="half"),
        pytest.param(b'{"title": "x"} {}', "cannot be read … Extra data", id="two"),
        pytest.param(b"[" * DEEP, "cannot be read", id="deep"),
        pytest.param(b'{"a":' * DEEP, "cannot be read", id="deep-keys"),
        pytest.param(b'{"anything": ' + b"[" * 60 + b"]" * 60 + b"}", "nested more than 40 levels", id="deeper"),
        pytest.param(b" " * 100_000_000, f"more than {LARGEST:,} bytes", id="blanks"),
        pytest.param(b'{"count": 1, "count": 2}', "'count' stands twice", id="twice"),
        pytest.param(b'{"notes": {"a": "", "a": ""}}', "'a' stands twice", id="twice-inside"),
        pytest.param(b'\xef\xbb\xbf{"count": 1}', "cannot be read … BOM", id="byte-order-mark"),
        pytest.param('{"count": 1}'.encode("utf-16"), "cannot be read … utf-8", id="utf-16"),
        pytest.param(b'{"title": "\xff"}', "cannot be read … utf-8", id="no-text"),
        pytest.param(b"\0" * 40, "cannot be read", id="nul"),
        pytest.param(b'{"title": "\0"}', "cannot be read … control character", id="nul-inside"),
        pytest.param(b'{"title": "\\ud800 hi"}', "whole characters … \\ud800 hi", id="half-a-character"),
        pytest.param(b'{"count": ' + b"9" * 10_000 + b"}", "cannot be read … 4300 digits", id="number-of-10000-digits"),
        pytest.param(b'{"count": NaN}', "count: … nan", id="nan"),
        pytest.param(b'{"count": -Infinity}', "count: … -inf", id="infinity"),
        pytest.param(b'{"count": 1e999}', "count: … inf", id="overflow"),
        pytest.param(b'{"count": "1"}', "count: … integer … '1'", id="text-for-number"),
        pytest.param(b'{"entries": {"0": {"id": "a"}}}', "entries: … array", id="object-for-list"),
        pytest.param(b'{"entries": [' + b"{}," * 9999 + b"{}]}", "entries.0.id: … required", id="many-faults"),
    ],
)
def test_hostile_json(tmp_path: Path, content: bytes, words: str) -> None:
    line = fails(tmp_path / "x.json", json_values, content)
    assert all(word in line for word in words.split(" … ")), line


@pytest.mark.attack("foreign files", "CSV")
@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"cue,speaker\na,b,c\n", "line 2", id="too-many"),
        pytest.param(b"cue,speaker\n\na\n", "line 3.1: … required", id="too-few"),
        pytest.param(b"cue,speaker\n,b\n", "line 2.0: … at least 1 character … ''", id="empty-cell"),
        pytest.param(b'cue,speaker\n"a,b\n', "cannot be read … unexpected end", id="open-quote"),
        pytest.param(b"a,b\n" + b"x" * 200_000, "cannot be read … field limit", id="long-cell"),
        pytest.param(b"a,\xff\n", "cannot be read … utf-8", id="no-text"),
        pytest.param(b"a" * 100_000_000, f"more than {LARGEST:,} bytes", id="large"),
    ],
)
def test_hostile_csv(tmp_path: Path, content: bytes, words: str) -> None:
    line = fails(tmp_path / "x.csv", csv_values, content, dict[str, tuple[Text, Text]])
    assert all(word in line for word in words.split(" … ")), line


@pytest.mark.parametrize("name", ["nowhere.json", "folder", "folder/nowhere/x.json"])
def test_what_is_no_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(Unreadable) as caught:
        load(tmp_path / name, json_values, "write it anew")
    assert str(caught.value) == f"{tmp_path / name}: cannot be read ({caught.value.why}); write it anew"


@pytest.mark.parametrize(
    ("parse", "content", "values"),
    [
        pytest.param(yaml_values, "\ufefftitle: x", {"title": "x"}, id="yaml-byte-order-mark"),
        pytest.param(yaml_values, "anything: 1994-09-22", {"anything": "1994-09-22"}, id="date"),
        pytest.param(yaml_values, "anything: 2023-99-99 99:99:99", {"anything": "2023-99-99 99:99:99"}, id="no-date"),
        pytest.param(yaml_values, "notes: {0101: a, No: b, 1994-09-22: c, ~: d}", {"notes": {"0101": "a", "No": "b", "1994-09-22": "c", "~": "d"}}, id="keys-as-written"),
        pytest.param(yaml_values, "anything: [0101, 0x10, 1_000, 1:30, yes, ~, .inf]", {"anything": [65, 16, 1000, 90, True, None, inf]}, id="yaml-1.1"),
        pytest.param(yaml_values, "anything: " + "[" * 30 + "]" * 30, None, id="deep-enough"),
        pytest.param(yaml_values, "title: " + "x" * 100_000, {"title": "x" * 100_000}, id="long-text"),
        pytest.param(json_values, '{"anything": [1e3, "\\ud83d\\ude00"]}', {"anything": [1000.0, "😀"]}, id="json"),
    ],
)  # fmt: skip
def test_what_is_read_as_it_is(tmp_path: Path, parse: Callable[[bytes], Any], content: str, values: Any) -> None:
    (tmp_path / "x").write_text(content, encoding="utf-8")
    found = read(tmp_path / "x", parse, File, "write it anew")
    assert found == (found if values is None else values)


def test_schemas_decide_about_other_keys_and_make_values(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"count": 1, "more": {"a": NaN}, "entries": [{"id": "a", "share": 1}]}')
    assert read(tmp_path / "x.json", json_values, Open, "") == {"count": 1}
    assert isnan(load(tmp_path / "x.json", json_values, "")["more"]["a"])
    assert "unknown key 'more'" in fails(tmp_path / "y.json", json_values, (tmp_path / "x.json").read_bytes())
    (tmp_path / "x.json").write_text('{"entries": [{"id": "a", "share": 1}]}')
    assert read(tmp_path / "x.json", json_values, File, "") == {"entries": [Entry("a", 1.0)]}


def test_all_faults_are_listed() -> None:
    assert len(faults({"count": "x", "title": "", "zzz": 1}, File)) == 3


def test_the_size_is_known_before_all_is_read(tmp_path: Path) -> None:
    with (tmp_path / "x.json").open("wb") as file:
        file.truncate(1 << 40)  # a terabyte of nothing
    with pytest.raises(Unreadable, match="more than"):
        load(tmp_path / "x.json", json_values, "write it anew")
