"""A survey says what would be read of pages nobody has seen, and drafts a show that can be built at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from builders import build
from friends_corpus import survey

NAMES = ("Holm", "Vega", "Cook")
FORMS = {
    "plain": ("0101.txt", "{name}: Number {n} is cold.\n", "[Bridge]\n"),
    "bold": ("0101.html", "<p><b>{name}:</b> Number {n} is cold.</p>\n", "<p>[Scene: The bridge.]</p>\n"),
    "italic": ("0101.html", "<i>{name}</i> Number {n} is cold.<br>\n", ""),
    "markdown": ("0101.md", "**{name}:** Number {n} is cold.\n\n", ""),
    "table": ("0101.csv", "{name},Number {n} is cold.\n", ""),
}


def write_show(folder: Path, form: str, name: str = "") -> Path:
    """Pages of an invented show in one form; one label of it is misspelt once, one line is said by two."""
    usual, line, scene = FORMS[form]
    folder.mkdir()
    said = [NAMES[n % 3] for n in range(60)]
    said[30], said[31] = "Hlom", "Holm and Vega"
    text = ("speaker,text\n" if form == "table" else "") + scene
    (folder / (name or usual)).write_text(
        text + "".join(line.format(name=s, n=n) for n, s in enumerate(said)), encoding="utf-8"
    )
    return folder


@pytest.mark.parametrize("form", FORMS)
def test_a_drafted_show_is_built_at_once(tmp_path: Path, capsys: Any, form: str) -> None:
    pages, show = write_show(tmp_path / "pages", form), tmp_path / "steam"
    assert survey.main([str(pages), "--show", str(empty_show(tmp_path)), "--out", str(show)]) == 0
    said = capsys.readouterr().out
    assert "Holm 19" in said
    assert "Hlom → Holm" in said
    assert "Holm and Vega 1" in said
    assert (show / "speakers.csv").read_text(encoding="utf-8").endswith("Hlom,Holm,,\n")
    assert build.main(["--pages", str(pages), "--show", str(show), "--out", str(tmp_path / "out"), "--jobs", "1"]) == 0


def empty_show(folder: Path) -> Path:
    (folder / "none").mkdir()
    (folder / "none" / "show.yaml").write_text("title: Unknown\n", encoding="utf-8")
    return folder / "none"


def test_pages_without_a_number_are_listed_in_a_table(tmp_path: Path, capsys: Any) -> None:
    pages, show = write_show(tmp_path / "pages", "bold", "the kettle.html"), tmp_path / "steam"
    assert survey.main([str(pages), "--show", str(empty_show(tmp_path)), "--out", str(show)]) == 0
    assert "the kettle.html: taken in order" in capsys.readouterr().out
    assert (show / "pages.csv").read_text(encoding="utf-8") == "file,season,episode\nthe kettle.html,1,1\n"
    table = ["--pages-table", str(show / "pages.csv")]
    out = ["--out", str(tmp_path / "out"), "--jobs", "1"]
    assert build.main(["--pages", str(pages), "--show", str(show), *table, *out]) == 0


def test_nothing_that_is_there_is_replaced(tmp_path: Path, capsys: Any) -> None:
    pages = write_show(tmp_path / "pages", "bold")
    assert survey.main([str(pages), "--out", str(tmp_path)]) == 2
    assert "is there already" in capsys.readouterr().err


def test_pages_that_are_none(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "0101.html").write_text("<p>A letter to nobody.</p>", encoding="utf-8")
    assert survey.main([str(tmp_path)]) == 2
    assert "no transcript could be read" in capsys.readouterr().err
