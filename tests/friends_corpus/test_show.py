"""Another show than *Friends*: the same configs from its folder, and what is wrong with a show folder."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from builders import build, check, explain
from friends_corpus import parse
from friends_corpus.core.cli import InputError
from friends_corpus.parsing.script import read_script
from friends_corpus.show.config import FRIENDS, About, friends, read_show
from friends_corpus.show.wording import wording

HARBOUR = Path(__file__).parents[1] / "harbour_lights"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The invented show, built where its folder is the working directory's only input."""
    home = tmp_path_factory.mktemp("show")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(home / "cache"))
        patch.chdir(home)
        assert build.main(["--show", str(HARBOUR), "--jobs", "1"]) == 0
    return home / "harbour-lights-lines"


def rows(dataset: Path, config: str) -> list[dict]:
    return [row for path in sorted((dataset / config).glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def test_lines(dataset: Path) -> None:
    found = {row["id"]: row for row in rows(dataset, "named_lines")}
    assert [found[id]["text"] for id in sorted(found) if id.startswith("s01e01")] == [
        "Ada: The lamp went out again, did nobody see it?",
        "Captain Moss: I saw it, and I said nothing at all.",
        "The Stranger: Is this seat taken, or does the crab own it?",
        "Bram: Soup is on.",
        "Ada: I smelled it from the pier.",
    ]
    assert [(row["speaker"], row["scene_heading"]) for id, row in sorted(found.items()) if id.startswith("s02e09")] == [
        ("Ada", "[Scene: The lighthouse, in the storm.]"),
        ("Captain Moss", "[Scene: The lighthouse, in the storm.]"),
        ("All", "[Scene: The lighthouse, in the storm.]"),
    ]
    assert {row["scene_heading"] for row in found.values()} >= {"The Crab Pot"}
    assert {row["episode_title"] for row in found.values()} == {
        "Tide One: The Lamp",
        "Tide Two, The Rope",
        "Tide Nine: The Storm",
    }
    assert found["s02e09_c01_u0000"]["episodes"] == [9, 10]
    assert [row["speaker"] for id, row in sorted(found.items()) if id.startswith("s01e02")][-2:] == [
        "Boy With Kite",
        "Ada and Bram",
    ]


def test_the_cast_answers_in_chat(dataset: Path) -> None:
    found = {row["id"]: row for row in rows(dataset, "chat")}
    assert {row["character"] for row in found.values()} == {"Ada", "Bram"}
    prompt = [message["content"] for message in found["s01e01_c02_u0004"]["prompt"]]
    assert prompt[0] == "You are Ada from Harbour Lights. You are talking with Bram."


def test_nothing_in_the_folder_says_friends(dataset: Path) -> None:
    for path in ("README.md", "quality.md", "croissant.json", "stats.json", "manifest.json"):
        text = (dataset / path).read_text(encoding="utf-8")
        assert "friends" not in text.replace("friends-corpus", "").casefold(), path
        for name in (*friends().cast, "PHOE", "MNCA"):
            assert name not in text, path
    card = (dataset / "README.md").read_text(encoding="utf-8")
    for said in ("# Harbour Lights lines", '"harbour-lights-lines"', "1988–1991", "Nobody Pictures", "example.org"):
        assert said in card
    shown = json.loads((dataset / "manifest.json").read_text(encoding="utf-8"))["show"]
    assert shown["title"] == "Harbour Lights"
    assert shown["cast"] == ["Ada", "Bram"]


@pytest.mark.filterwarnings("error:Glyph")
def test_names_of_any_letters(tmp_path: Path) -> None:
    """Plots that lack a letter warn nobody; the report does."""
    (tmp_path / "show.yaml").write_text("title: 寅さん\ncast: {寅次郎: ''}", encoding="utf-8")
    (tmp_path / "sample").mkdir()
    turns = "".join(f"<p><b>{name}:</b> Hello number {n}.</p>" for n, name in enumerate(["寅次郎", "さくら"] * 3))
    (tmp_path / "sample" / "0101.html").write_text(f"<h1>One</h1>{turns}", encoding="utf-8")
    assert build.main(["--show", str(tmp_path), "--out", str(tmp_path / "out"), "--jobs", "1", "--no-cache"]) == 0
    assert "drawn as boxes" in (tmp_path / "out" / "quality.md").read_text(encoding="utf-8")
    assert check.main([str(tmp_path / "out")]) == 0


def test_the_other_commands_take_it(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main([str(dataset)]) == 0
    assert explain.main([str(dataset), "s02e09_c01_u0000", "--show", str(HARBOUR)]) == 0
    said = capsys.readouterr().out
    assert "https://example.org/harbour/scripts/finale.html" in said
    assert "speakers.csv: the stranger → Ada (Ada Quill), only in s02e09" in said
    assert explain.main([str(dataset), "s02e09_c01_u0000"]) == 2
    assert "was built from the show 'Harbour Lights'; give its folder with --show" in capsys.readouterr().err
    assert parse.main([str(HARBOUR / "sample"), "--show", str(HARBOUR)]) == 0


def test_the_same_pages_of_another_show_are_read_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page cache and the note on unchanged folders go by the show's content."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    show = Path(shutil.copytree(HARBOUR, tmp_path / "show"))
    command = ["--show", str(show), "--out", str(tmp_path / "out"), "--jobs", "1"]
    assert build.main(command) == 0
    assert "Captain Moss" in {row["speaker"] for row in rows(tmp_path / "out", "lines")}
    table = (show / "speakers.csv").read_text().replace("Captain Moss", "The Captain")
    (show / "speakers.csv").write_text(table)
    read_show.cache_clear()
    assert build.main(command) == 0
    assert "Captain Moss" not in {row["speaker"] for row in rows(tmp_path / "out", "lines")}


def test_friends_is_a_show_folder_like_any_other() -> None:
    assert read_show(FRIENDS) is friends()
    assert friends().sample.is_dir()
    assert all(friends().people.is_listed(name, "s01e01") for name in friends().cast)


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Harbour Lights", "harbour-lights"),
        ("Café Noir", "cafe-noir"),
        ("Straße 9", "strasse-9"),
        ("M*A*S*H", "m-a-s-h"),
        ("寅さん", "show"),
    ],
)
def test_slugs(title: str, slug: str) -> None:
    assert About(title, "", "", "", "").slug == slug


def test_a_title_is_enough(tmp_path: Path) -> None:
    (tmp_path / "show.yaml").write_text("title: Solo")
    show = read_show(tmp_path)
    assert show.dataset == "solo-lines"
    assert show.page_url("0101.html") == ""
    assert read_script("0101.html", b"<h1>Solo</h1><h2>101 - The Start</h2><b>Ann:</b> Hi.", show)[1].title == (
        "The Start"
    )


@pytest.mark.parametrize(
    ("yaml", "csv", "message"),
    [
        pytest.param(None, None, "show.yaml: … No such file … a show folder holds show.yaml", id="nothing"),
        pytest.param("title: [", None, "show.yaml: cannot be read … line 1", id="no-yaml"),
        pytest.param("- a\n- b", None, "show.yaml: … object … ['a', 'b']", id="list"),
        pytest.param("years: '1990'", None, "show.yaml: title: … required", id="no-title"),
        pytest.param("title: ''", None, "title must not be empty", id="empty-title"),
        pytest.param("title: X\ncats: {}", None, "unknown key 'cats' (did you mean 'cast'?)", id="unknown-key"),
        pytest.param("title: 24", None, "show.yaml: title: … string … 24", id="number"),
        pytest.param("title: X\narchive: ftp://x/", None, "archive must be a web address", id="archive"),
        pytest.param("title: X\npages: {a: 3}", None, "show.yaml: pages.a: … object … 3", id="page"),
        pytest.param(
            "title: X\npages: {a: {season: 1}}", None, "show.yaml: pages.a.episodes: … required", id="page-numbers"
        ),
        *(
            pytest.param(f"title: X\npages: {{a: {{season: {page}}}}}", None, f"show.yaml: pages.a.{said}", id=page)
            for said, pages in {
                "episodes.0: … integer": ("1, episodes: [x]", "1, episodes: [true]"),
                "episodes.0: … equal to": ("1, episodes: [-3]", "1, episodes: [100]"),
                "season: … integer": ("true, episodes: [1]",),
                "season: … equal to": ("100, episodes: [1]", "-1, episodes: [1]"),
                "episodes: … ascending order … [": ("1, episodes: [3, 2]", "1, episodes: [2, 2]"),
            }.items()
            for page in pages
        ),
        pytest.param(
            "title: X\npages: {a: {seson: 1}}", None, "pages.a: unknown key 'seson' … 'season'", id="page-key"
        ),
        pytest.param("title: X\ntitle: Y", None, "show.yaml: … 'title' stands twice", id="twice"),
        pytest.param("title: &x X\nowner: *x", None, "show.yaml: … line 1: … anchors … refused", id="anchor"),
        pytest.param("title: X", "name,who\n", "speakers.csv: … the first line must be cue,speaker", id="header"),
        pytest.param(
            "title: X",
            "cue,speaker,full_name,episodes\nA,B\n",
            "speakers.csv: line 2 … 4 columns, cue and speaker filled",
            id="row",
        ),
        pytest.param(
            "title: X",
            "cue,speaker,full_name,episodes\n,B,,\n",
            "speakers.csv: line 2 … 4 columns, cue and speaker filled",
            id="empty-cue",
        ),
        pytest.param("title: \xe4".encode("latin-1"), None, "show.yaml: … 'utf-8'", id="encoding"),
    ],
)
def test_bad_show_folders(
    yaml: str | bytes | None, csv: str | None, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if yaml is not None:
        (tmp_path / "show.yaml").write_bytes(yaml if isinstance(yaml, bytes) else yaml.encode())
    if csv is not None:
        (tmp_path / "speakers.csv").write_text(csv)
    with pytest.raises(InputError):
        read_show(tmp_path)
    for command in (build, parse):
        arguments = ["--show", str(tmp_path)]
        assert command.main(arguments if command is build else [str(HARBOUR), *arguments]) == 2
        printed = capsys.readouterr().err
        assert all(words in printed for words in message.split(" … "))


def test_keys_are_text_as_they_are_written(tmp_path: Path) -> None:
    """YAML 1.1 would read the key 0101 as 65, No as false, and a date as no text."""
    text = "title: X\nyears: 1994-09-22\ncast: {No: Noël}\npages: {0101: {season: 1, episodes: [1]}}"
    (tmp_path / "show.yaml").write_text(text, encoding="utf-8")
    show = read_show(tmp_path)
    assert (show.years, show.cast, show.pages["0101"].id) == ("1994-09-22", {"No": "Noël"}, "s01e01")


def test_a_title_that_is_also_a_number_or_a_link_costs_no_time() -> None:
    """Each word fits twice: without possessive quantifiers this would try 2^200 ways and not come back."""
    for title in ("24", "Home"):
        navigation = wording(replace(friends(), title=title)).navigation
        assert navigation.fullmatch(f"{title} | " * 200)
        assert not navigation.fullmatch(f"{title} | " * 200 + "Jack")
