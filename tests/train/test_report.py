"""`python -m train.report`: the page, the Markdown and the picture, from results with hostile answers in them."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from bs4 import BeautifulSoup
from markdown_it import MarkdownIt

from friends_corpus.core.files import write_whole
from friends_corpus.core.visible import visible
from train import report
from train.comparison.intervals import plot, ticks, worded
from train.comparison.report_files import FILES, write_files

HOSTILE = {
    "script": "<script>document.title = 'taken'</script><img src=x onerror=\"document.title = 'taken'\">",
    "end-of-script": "</script></blockquote></section>--><h1>mine</h1>",
    "markdown": "# Big\n| **bold** | [here](https://example.org) ![x](https://example.org/x.png) `code` ~~no~~",
    "template": "{{ 7 * 7 }} {% raw %} {# note #}",
    "long-word": "W" * 2000,
    "many-lines": "Hey!\n" * 200,
    "right-to-left": "مرحبا \u202e reversed",
    "marks": "Z" + "\u0335\u0316" * 300,
    "empty": "",
    "emoji": "👩‍👧 ok",
}
ARMS = ("base", "na<b>med & 'l' \"i\"", "chunks")
METRICS = {
    "script": {"label": "script <i>format</i>", "meaning": "answers with a line “Name: …”", "unit": "share"},
    "length": {"label": "length", "meaning": "tokens of an answer", "unit": "tokens"},
    "others": {"label": "other speakers", "meaning": "people in an answer", "unit": "count"},
    "loss": {"label": "loss of real replies", "meaning": "cross-entropy | per token", "unit": "nats"},
}


def value(mean: float, width: float = 0.05) -> dict[str, float]:
    """A mean with its interval."""
    return {"mean": mean, "low": mean - width, "high": mean + width}


def make_results() -> dict[str, Any]:
    """Three arms, four metrics, one of them missing for an arm, a verdict of each sort, a prompt per hostile text."""
    names = list(METRICS)
    variants = {arm: {name: value(0.1 + i + j) for i, name in enumerate(names)} for j, arm in enumerate(ARMS)}
    del variants["chunks"]["loss"]
    part = {"metric": "script", "arms": list(ARMS[1:]), "against": "base", "expected": "higher", "margin": 0.05}
    part |= {"by_arm": {ARMS[1]: value(0.1), "chunks": None}}
    parts = [
        part | value(0.01) | {"verdict": "undecided", "expected": "lower"},
        part | value(0.2) | {"arms": ["chunks"], "verdict": "supported"},
    ]
    left_out = {
        "metric": "loss",
        "arms": ["chunks"],
        "against": "base",
        "expected": "lower",
        **dict.fromkeys(("mean", "low", "high")),
        "note": "it needs | chat",
        "verdict": "left out",
    }
    samples = [
        {"prompt_id": name, "prompt": f"{name}? {text[:80]}", "kind": ("question", "persona")[number % 2], "seed": seed}
        | {
            "variant": arm,
            "text": text,
            "stopped": not seed,
            "tokens": 5,
            "system": "<b>Be</b>" if number % 2 else None,
        }
        | {"author": name == "emoji"}
        for number, (name, text) in enumerate(HOSTILE.items())
        for seed in (0, 1)
        for arm in ARMS
    ]
    return {
        "device": "a CPU, 2 threads",
        "base": "someone/tiny",
        "budget_tokens": 102400,
        "adapters": {arm: {"text_field": "text" if arm == "chunks" else "text_with_directions"} for arm in ARMS[1:]},
        "settings": {"tokens": 60, "temperature": 0.7, "top_p": 0.95, "prompts": len(HOSTILE), "seeds": 2},
        "notes": ["the loss of <chunks> was not measured"],
        "metrics": METRICS,
        "variants": variants,
        "verdicts": [
            {"claim": "they write <u>scripts</u>", "stands_for": "s1", "verdict": "supported"} | part | value(0.2),
            {"claim": "they say | Hey", "stands_for": "s2", "verdict": "not supported"} | part | value(-0.2),
            {"claim": "c3", "stands_for": "s3", "verdict": "undecided"} | parts[0] | {"parts": [*parts, left_out]},
            {"claim": "conversation is better", "stands_for": "s4", "verdict": "left out"} | left_out,
        ],
        "samples": samples,
    }


def words(node: Any) -> str:
    """What is to be read, with single, ordinary spaces."""
    return " ".join(node.get_text(" ").split())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written") / "new" / "report"
    report.write_report(make_results(), folder)
    return folder


@pytest.fixture(scope="module")
def page(folder: Path) -> BeautifulSoup:
    return BeautifulSoup((folder / "report.html").read_text(encoding="utf-8"), "html.parser")


def test_the_same_results_give_the_same_files_and_nothing_else(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "answers.jsonl").write_text("kept", encoding="utf-8")
    (tmp_path / "results.json").write_text(json.dumps(make_results()), encoding="utf-8")
    for _ in range(2):  # its own files may be replaced
        assert report.main([str(tmp_path / "results.json"), "--out", str(out)]) == 0
    names = sorted(path.name for path in out.iterdir())
    assert names == ["answers.jsonl", "files.json", "report.html", "report.md", "report.svg", "results.json"]
    for name in ("report.html", "report.md", "report.svg"):
        assert (out / name).read_bytes() == (folder / name).read_bytes(), name


@pytest.mark.attack("the user's files", "outputs of exports and reports")
@pytest.mark.parametrize("written", [False, True], ids=["foreign", "edited"])
@pytest.mark.parametrize("name", [*FILES, "files.json"])
def test_a_file_of_the_users_stays(name: str, written: bool, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "results.json").write_text(json.dumps(make_results()), encoding="utf-8")
    out = tmp_path / "out"
    out.mkdir()
    arguments = [str(tmp_path / "results.json"), "--out", str(out)]
    if written:
        assert report.main(arguments) == 0
    (out / name).write_text("mine", encoding="utf-8")
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert report.main(arguments) == 2
    assert name in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


@pytest.mark.attack("kill -9", "a report")
@pytest.mark.parametrize("moment", range(1, 6))
def test_a_report_that_was_killed_is_written_again(moment: int, tmp_path: Path, monkeypatch: Any) -> None:
    real, written = write_whole, []

    def killed(path: Path, text: str) -> None:
        written.append(path)
        if len(written) == moment:
            raise KeyboardInterrupt
        real(path, text)

    write_files(tmp_path, dict.fromkeys(FILES, "old"))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("train.comparison.report_files.write_whole", killed)
        write_files(tmp_path, dict.fromkeys(FILES, "new"))
    write_files(tmp_path, dict.fromkeys(FILES, "newer"))
    assert {(tmp_path / name).read_text() for name in FILES} == {"newer"}


@pytest.mark.attack("secrets and text", "markup in answers")
def test_nothing_of_an_answer_becomes_part_of_the_page(page: BeautifulSoup) -> None:
    shown = [answer.get_text() for answer in page.select(".answer blockquote")]
    assert shown == [visible(text) for text in HOSTILE.values() for _ in ARMS for _ in (0, 1)]
    assert page.title and page.title.get_text() == page.select_one("h1").get_text()  # type: ignore[union-attr]
    assert len(page.find_all("h1")) == len(page.find_all("script")) == len(page.find_all("style")) == 1
    assert not page.find_all(["img", "link", "iframe", "object", "b", "u", "i", "base"])
    for tag in page.find_all(True):
        assert not [name for name in tag.attrs if name.startswith("on") or name in ("style", "src")], tag
        assert str(tag.get("href", "#")).startswith("#"), tag


@pytest.mark.attack("secrets and text", "markup in answers")
def test_the_page_may_load_nothing_and_run_only_its_own_script(page: BeautifulSoup) -> None:
    policy = page.select_one("meta[http-equiv]")["content"]  # type: ignore[index]
    assert str(policy).startswith("default-src 'none';")
    assert "unsafe" not in policy
    for name in ("script", "style"):
        text = page.find(name).string  # type: ignore[union-attr]
        hashed = base64.b64encode(hashlib.sha256(str(text).encode()).digest()).decode()
        assert f"{name}-src 'sha256-{hashed}';" in policy
        assert "http" not in str(text)
        assert "url(" not in str(text)


def test_the_page_says_what_was_found(page: BeautifulSoup) -> None:
    cards = [words(card) for card in page.select(".verdict")]
    assert cards[0].startswith(
        "✓ supported they write <u>scripts</u> Tested: s1. "
        f"script <i>format</i>: {ARMS[1]} and chunks against base, +20.0 points [+15.0, +25.0]; all of it is above zero, "
        "and it is as much as would matter (5 points)."
    )
    assert "points [−25.0, −15.0]; it is not higher by as much as would matter (5 points)." in cards[1]
    assert "+1.0 points [−4.0, +6.0]; it may be too little to matter, or enough (5 points)." in cards[2]
    assert (
        "Supported. script <i>format</i>: chunks against base, +20.0 points [+15.0, +25.0]; all of it is above zero, "
        in cards[2]
    )
    assert cards[3] == "– left out conversation is better Tested: s4. loss of real replies: left out, it needs | chat."
    assert [len(card.select("svg")) for card in page.select(".verdict")] == [1, 1, 2, 0]
    names = [[name.get_text() for name in svg.select(".name")] for svg in page.select(".verdict svg")]
    assert names == [["together", "na<b>med & 'l' \"i\""]] * 3 + [["chunks"]]
    assert [words(item) for item in page.select(".tally li")] == [
        "✓ supported they write <u>scripts</u>",
        "✗ not supported they say | Hey",
        "? undecided c3",
        "– left out conversation is better",
    ]
    rows = [[words(cell) for cell in row.find_all(["th", "td"])] for row in page.select("#table ~ .scroll tr")]
    assert rows[0] == ["metric", *ARMS]
    assert rows[1][1:] == ["10.0 % [5.0, 15.0]", "110.0 % [105.0, 115.0]", "210.0 % [205.0, 215.0]"]
    assert rows[4][1:] == ["3.100 [3.050, 3.150]", "4.100 [4.050, 4.150]", "–"]
    assert page.select_one(".notes li").get_text() == "the loss of <chunks> was not measured"  # type: ignore[union-attr]
    facts = page.select_one(".facts").get_text(" ")  # type: ignore[union-attr]
    for fact in ("someone/tiny", "a CPU, 2 threads", "102,400", "10 prompts × 2 seeds", "text: chunks"):
        assert fact in facts


def test_markdown_shows_answers_as_they_are(folder: Path) -> None:
    text = (folder / "report.md").read_text(encoding="utf-8")
    html = BeautifulSoup(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text), "html.parser")
    assert [image["src"] for image in html.find_all("img")] == ["report.svg"]
    assert not html.find_all(["script", "a", "s", "u", "i"])
    assert {len(row.find_all(["td", "th"])) for row in html.find_all("table")[2].find_all("tr")} == {4}
    headings = [heading.get_text() for heading in html.find_all("h3")]
    assert headings[0] == "emoji? 👩‍👧 ok", "the blog's own come first"
    assert len(headings) == report.FEW
    answers = [table.find_all("tr")[1:] for table in html.find_all("table")[3:]]
    assert answers[1][0].find_all("td")[1].get_text() == HOSTILE["script"]
    assert [cell.get_text() for cell in html.find_all("table")[1].find_all("tr")[2].find_all("td")[:2]] == [
        "they say | Hey",
        "not supported",
    ]


def test_the_picture_is_sound_and_holds_every_metric(folder: Path) -> None:
    picture = ElementTree.parse(folder / "report.svg").getroot()
    texts = ["".join(text.itertext()) for text in picture.iter("{http://www.w3.org/2000/svg}text")]
    for about in METRICS.values():
        assert about["label"] in texts
    assert texts.count("base") == 4
    assert texts.count("chunks") == 3
    for node in picture.iter():
        assert not [name for name in node.attrib if "href" in name]


@pytest.mark.attack("secrets and text", "control and bidirectional characters")
@pytest.mark.parametrize("damaged", ["\x00", "\x1b[31m", "\ud800", "\r"])
def test_characters_that_no_file_may_hold(tmp_path: Path, damaged: str) -> None:
    results = make_results()
    results["samples"][0]["text"] = results["verdicts"][0]["claim"] = damaged
    results["variants"] = {arm + damaged * (arm == "chunks"): of for arm, of in results["variants"].items()}
    results["samples"] = [sample | {"variant": "base"} for sample in results["samples"]]
    results["notes"] = ["of\r\nWindows"]
    report.write_report(results, tmp_path)
    ElementTree.parse(tmp_path / "report.svg")
    for name in ("report.html", "report.md", "report.svg"):
        text = (tmp_path / name).read_bytes().decode()
        assert "�" in text
        assert all(c in "\n\t" or ord(c) >= 32 for c in text), name


def damaged_results(kind: str) -> Any:
    """Results with one fault."""
    results = copy.deepcopy(make_results())
    if kind == "unit":
        results["metrics"]["length"] = METRICS["length"] | {"unit": "miles"}
    elif kind == "verdict":
        results["verdicts"][0]["verdict"] = "true"
    elif kind == "metric":
        results["verdicts"][0]["metric"] = "none"
    elif kind == "number":
        results["variants"]["base"]["script"]["mean"] = "high"
    elif kind == "variant":
        results["samples"][0]["variant"] = "none"
    elif kind == "meaning":
        results["metrics"]["length"] = {"label": "length", "unit": "tokens"}
    elif kind == "no answers":
        results["samples"] = []
    elif kind == "no numbers":
        results["variants"] = {arm: {} for arm in ARMS}
    elif kind == "kept":
        results["measured"] = {"script": {"values": {"base": ["x"]}, "weights": None}}
    elif kind == "list":
        results["variants"] = []
    else:
        del results[kind]
    return results


@pytest.mark.parametrize(
    "kind",
    ["unit", "verdict", "metric", "number", "variant", "meaning", "no answers", "no numbers", "kept", "list"]
    + [
        "base",
        "adapters",
        "device",
        "budget_tokens",
        "metrics",
        "variants",
        "verdicts",
        "samples",
        "settings",
        "notes",
    ],
)
def test_results_that_are_none(tmp_path: Path, capsys: Any, kind: str) -> None:
    (tmp_path / "results.json").write_text(json.dumps(damaged_results(kind)), encoding="utf-8")
    assert report.main([str(tmp_path / "results.json"), "--out", str(tmp_path / "out")]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("error: these are no results of this train.compare (")
    assert printed.err.endswith("; compare again\n")
    assert printed.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(None, "No such file or directory", id="missing"),
        pytest.param(b"", "Expecting value", id="empty"),
        pytest.param(b"\xff\xfe", "can't decode", id="no-text"),
        pytest.param(b'{"base": ', "Expecting value", id="half"),
        pytest.param(b"[" * 100_000, "maximum recursion", id="deep"),
        pytest.param(b"[1, 2]", "holds no results", id="list"),
    ],
)
def test_files_that_are_no_results(tmp_path: Path, capsys: Any, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / "results.json").write_bytes(content)
    assert report.main([str(tmp_path / "results.json"), "--out", str(tmp_path / "out")]) == 2
    printed = capsys.readouterr().err
    assert said in printed
    assert printed.startswith("error: ")
    assert printed.endswith("; give the results.json of train.compare\n")
    assert printed.count("\n") == 1


def test_a_place_that_cannot_be_written(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "results.json").write_text(json.dumps(make_results()), encoding="utf-8")
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    assert report.main([str(tmp_path / "results.json"), "--out", str(tmp_path / "file")]) == 1
    assert f"{tmp_path}/file: File exists" in capsys.readouterr().err
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"


def test_ctrl_c(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(report, "read_results", interrupt)
    assert report.main(["results.json"]) == 130
    assert capsys.readouterr().err.startswith("error: interrupted; ")


def test_numbers_that_are_none_leave_a_gap(tmp_path: Path) -> None:
    """No base, a metric that nobody has, infinities, one metric that is 0 everywhere."""
    results = make_results()
    results["variants"] = {"chunks": {"script": value(0.0, 0.0), "length": value(float("nan")), "others": None}}
    results["samples"] = [sample for sample in results["samples"] if sample["variant"] == "chunks"]
    results["verdicts"] = [results["verdicts"][0] | {"high": float("inf"), "note": "no number"}]
    results["budget_tokens"] = None
    report.write_report(results, tmp_path)
    page = BeautifulSoup((tmp_path / "report.html").read_text(encoding="utf-8"), "html.parser")
    assert [words(cell) for cell in page.select("td")] == ["0.0 % [0.0, 0.0]", "–", "–", "–"]
    assert len(page.select("svg")) == 1
    assert not page.select("svg .reference")
    assert "not equal" in page.select_one(".facts").get_text()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("low", "high"), [(0, 0), (0, 1), (0.97, 1.0), (-0.3, 0.1), (2.75, 3.9), (5, 5), (-2, -2), (0, 1e-9), (0, 1e9)]
)
def test_ticks_surround_what_they_measure(low: float, high: float) -> None:
    found = ticks(low, high)
    assert found[0] <= low
    assert found[-1] >= high
    assert 2 <= len(found) <= 6
    steps = [after - before for before, after in pairwise(found)]
    assert all(step > 0 for step in steps)
    assert max(steps) == pytest.approx(min(steps))


def test_a_scale_begins_at_zero_unless_that_hides_the_differences() -> None:
    shares = plot([("a", value(0.4), ""), ("b", value(0.1), "")], "share", None)
    assert [tick["label"] for tick in shares["ticks"]] == ["0", "20", "40", "60"]
    losses = plot([("a", value(3.2), ""), ("b", value(3.1), "")], "nats", 3.1)
    assert losses["ticks"][0]["label"] == "3.05"
    assert losses["reference"] == losses["rows"][1]["mean"]
    difference = plot([("a", value(-0.4), "")], "share", 0.0)
    assert difference["reference"] == difference["ticks"][-1]["x"] == 97.0


@pytest.mark.parametrize(
    ("unit", "shown", "difference"),
    [
        ("share", "50.0 % [45.0, 55.0]", "+50.0 points [+45.0, +55.0]"),
        ("count", "0.50 [0.45, 0.55]", "+0.50 [+0.45, +0.55]"),
        ("tokens", "0.5 [0.5, 0.6]", "+0.5 tokens [+0.5, +0.6]"),
        ("nats", "0.500 [0.450, 0.550]", "+0.500 nats [+0.450, +0.550]"),
    ],
)
def test_units(unit: str, shown: str, difference: str) -> None:
    assert worded(value(0.5), unit).replace("\xa0", " ") == shown
    assert worded(value(0.5), unit, difference=True).replace("\xa0", " ") == difference


@pytest.fixture(scope="module")
def chromium() -> Any:
    """A headless browser; the tests that need one are skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="no browser test without playwright")
    binary = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not binary:
        pytest.skip("no browser test without chromium")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=binary, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 390])
def test_samples_are_filtered_in_a_browser(chromium: Any, folder: Path, width: int) -> None:
    """By words, kind, seed and variant, with the keyboard; nothing is wider than the window, nothing is fetched."""
    tab = chromium.new_page(viewport={"width": width, "height": 800})
    tab.set_default_timeout(120_000)  # a busy machine
    complaints: list[str] = []
    asked: list[str] = []
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto((folder / "report.html").as_uri())

    def shown(selector: str) -> int:
        return int(tab.locator(f"{selector}:visible").count())

    prompts, arms = len(HOSTILE), len(ARMS)
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    assert (shown(".prompt"), shown(".answer")) == (prompts, prompts * arms), "of the first seed"
    tab.get_by_label("Seed").select_option("all")
    assert shown(".answer") == 2 * prompts * arms
    tab.get_by_label("Kind of prompt").select_option("persona")
    assert shown(".prompt") == prompts // 2
    tab.get_by_label("Kind of prompt").select_option("all")
    tab.get_by_label("Words in the prompt").focus()
    tab.keyboard.type("HEY many")
    assert shown(".prompt") == 1
    assert tab.get_by_role("status").inner_text() == f"1 of {prompts} prompts"
    tab.get_by_role("checkbox", name="chunks").focus()
    tab.keyboard.press("Space")
    assert shown(".answer") == 2 * (arms - 1)
    assert tab.title() != "taken"
    assert complaints == []
    assert asked == [(folder / "report.html").as_uri()]
    tab.close()


@pytest.mark.slow
def test_what_is_searched_is_what_is_shown(chromium: Any, tmp_path: Path) -> None:
    """The prompt, its id and its system message, and the answers that are not hidden; without any, nothing is shown."""
    results = make_results()
    for sample in results["samples"]:
        if (sample["prompt_id"], sample["variant"], sample["seed"]) == ("emoji", "chunks", 1):
            sample["text"] = "A parrot."
        sample["system"] = "You are a pirate." if sample["prompt_id"] == "marks" else None
    report.write_report(results, tmp_path)
    tab = chromium.new_page(viewport={"width": 390, "height": 800})
    tab.set_default_timeout(120_000)
    tab.goto((tmp_path / "report.html").as_uri())

    def found(words: str) -> list[str]:
        tab.get_by_label("Words in the prompt").fill(words)
        said = tab.locator(".prompt:visible h3").all_inner_texts()
        assert tab.get_by_role("status").inner_text().startswith(f"{len(said)} of {len(HOSTILE)} prompts")
        return [text.partition("?")[0] for text in said]

    assert found("parrot") == [], "of another seed"
    tab.get_by_label("Seed").select_option("all")
    assert found("a PARROT") == ["emoji"]
    assert found("pirate") == ["marks"]
    assert found("question long-word") == ["long-word"], "its kind and id"
    tab.get_by_role("checkbox", name="chunks").uncheck()
    assert found("parrot") == [], "of a variant that is hidden"
    for arm in ARMS[:2]:
        tab.get_by_role("checkbox", name=arm).uncheck()
    assert found("") == []
    assert "tick a variant" in tab.get_by_role("status").inner_text()
    tab.evaluate("document.querySelector('.scroll').scrollLeft = 200")
    assert tab.locator("tbody th").first.bounding_box()["x"] < 20, "the metrics' names stay"
    tab.close()


def test_no_line_runs_through_words(page: BeautifulSoup) -> None:
    """In a plot, what is drawn from top to bottom is drawn below the words of a row."""
    for svg in page.select("svg.plot"):
        words_at = {float(str(text["y"])) for text in svg.select(".name, .words")}
        for line in svg.select(".reference, .grid"):
            top, bottom = float(str(line["y1"])), float(str(line["y2"]))
            assert not any(top < y + 3 and bottom > y - 12 for y in words_at), line
