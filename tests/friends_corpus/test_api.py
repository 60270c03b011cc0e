"""What `import friends_corpus` offers, and the examples of docs/api.md, each of which runs."""

import re
from pathlib import Path

import pytest
from invented import page, write_pages

import friends_corpus as fc

DOCS = Path(__file__).parents[2] / "docs" / "api.md"
HTML = "<p>[Scene: A park.]</p><p><b>Joey:</b> “Hi”.</p><p><b>Ross and Joey:</b> Hé.</p>"


def test_the_examples_of_the_docs_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pages(tmp_path / "pages")
    monkeypatch.chdir(tmp_path)
    examples = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert len(examples) == 6
    names: dict[str, object] = {}
    for example in examples:
        exec(example, names)
    assert names["pairs"]
    assert names["together"]


@pytest.mark.parametrize("speaker", ["Joey", "JOEY", "joey tribbiani", "joey-tribbiani"])
def test_lines_of_a_speaker(speaker: str, tmp_path: Path) -> None:
    show = fc.read(write_pages(tmp_path / "pages"))
    lines = show.lines(speaker=speaker)
    assert lines
    assert {line.speaker_ids for line in lines} == {("joey-tribbiani",)}
    assert len(show.to_pandas()) == len(show.lines()) == sum(len(scene.lines) for scene in show.scenes())


def test_an_unknown_speaker_is_refused(tmp_path: Path) -> None:
    show = fc.read(write_pages(tmp_path / "pages"))
    with pytest.raises(ValueError, match="Joey"):
        show.lines(speaker="Joeey")
    assert show.lines(speaker="Gunther") == []  # known, but not on these pages


@pytest.mark.parametrize(
    "given", [HTML.encode(), HTML, f"<meta charset='latin-1'>{HTML}"], ids=["bytes", "str", "meta"]
)
def test_read_page(given: bytes | str) -> None:
    lines = list(fc.read_page(given, name="0101.html").utterances())
    assert [(line.speaker, line.text) for line in lines] == [("Joey", '"Hi".'), ("Ross and Joey", "Hé.")]


def test_pairs_stay_in_their_scene(tmp_path: Path) -> None:
    show = fc.read(write_pages(tmp_path / "pages"))
    assert all(line.scene == answer.scene and line.id < answer.id for line, answer in show.pairs())


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    pages = write_pages(tmp_path / "pages")
    (pages / "0101b.html").write_text(page(1), encoding="utf-8")
    (pages / "s01e01.html").write_text(page(1), encoding="utf-8")
    with pytest.warns(UserWarning, match="left out"):
        show = fc.read(pages)
    assert any("s01e01.html" in reason for reason in show.failed)


def test_a_page_without_a_number_names_the_remedy() -> None:
    with pytest.raises(fc.ParseError, match="0101"):
        fc.read_page(HTML)
    with pytest.raises(AttributeError, match="wride"):
        _ = fc.wride
