"""Hostile, broken and re-dressed pages: a ParseError that says what is wrong, or every character and the right lines."""

import html
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from real import PAGES, needs_pages
from soup import soup

from friends_corpus.core.model import Episode, Line, ParseError, StageDirection
from friends_corpus.formats.html import decode, read_blocks
from friends_corpus.parsing.habits import read_habits
from friends_corpus.parsing.normalise import normalise
from friends_corpus.parsing.script import read_script
from friends_corpus.parsing.segments import cut
from friends_corpus.show.config import friends
from friends_corpus.show.page_names import SAMPLE

ROOT = Path(__file__).parents[2]
SAMPLES = sorted(SAMPLE.glob("*.html"))
DIALECTS = sorted((ROOT / "tests" / "pages").glob("*.html"))
GOOD = "<p>[Scene: A park.]</p>\n<p><b>Joey:</b> Hi.</p>\n<p><b>Ross:</b> Bye.</p>\n"
SAID = [("Joey", "Hi."), ("Ross", "Bye.")]


def episode_of(data: bytes, name: str = "0101.html") -> Episode[Line]:
    return normalise(read_script(name, data)[1])


def said(data: bytes, name: str = "0101.html") -> list[tuple[str, str]]:
    return [(" + ".join(line.speakers), line.text) for line in episode_of(data, name).utterances()]


def lines(data: bytes) -> list[tuple[object, ...]]:
    return [(n, e.speakers, e.text, e.directions) for n, e in events(data) if not isinstance(e, StageDirection)]


def events(data: bytes) -> list[tuple[int, Line | StageDirection]]:
    return [(n, event) for n, scene in enumerate(episode_of(data).scenes) for event in scene.events]


def conserve(data: bytes) -> bool:
    """Whether the page has a label; its segments joined are its visible text, even if it is refused as badly read."""
    try:
        blocks = read_blocks(data)
        segments = cut(blocks, read_habits(blocks, "s01e01", friends()))
        assert "".join(s.text for s in segments) == "".join(block.text + "\n" for block in blocks)
        segments, printed = read_script("0101.html", data)
    except ParseError as error:
        return "were missed" in str(error)
    assert all(line.speakers and all(line.speakers) for line in normalise(printed).utterances())
    return True


# ---------------------------------------------------------------- token soup and the adversarial list


@pytest.mark.attack("hostile pages", "random markup")
@pytest.mark.parametrize("seed", range(30))
def test_token_soup_is_conserved(seed: int) -> None:
    conserve(soup(seed, 6_000))


@pytest.mark.attack("hostile pages", "random markup")
@pytest.mark.slow
@pytest.mark.parametrize("seed", [1000, 1001])
def test_a_megabyte_of_token_soup_is_conserved(seed: int) -> None:
    conserve(soup(seed, 1_000_000))


@pytest.mark.attack("hostile pages", "files that are no transcript")
@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", "no visible text", id="no bytes"),
        pytest.param(b" \r\n\t ", "no visible text", id="blanks"),
        pytest.param(b"\0" * 1000, "binary data", id="NULs"),
        pytest.param(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "binary data", id="picture"),
        pytest.param(b"<h1>Not here</h1><p>This page has moved.</p>", "no speaker label", id="soft 404"),
        pytest.param(b"<!-- " + GOOD.encode(), "no visible text", id="all in an open comment"),
        pytest.param(b"<script>" + GOOD.encode() + b"</script>", "no visible text", id="all in a script"),
        pytest.param(b"<html><head></head></html>", "no visible text", id="head only"),
        pytest.param(GOOD.encode("utf-16-le"), "binary data", id="utf-16 without BOM"),
        pytest.param(b"a" * 1_000_000, "no speaker label", id="one long word"),
        pytest.param(b"<p>" + b"x" * 2_000_000, "limit 2,000,000", id="too large"),
        pytest.param(b"<p>x" * 4_750_000, "limit 2,000,000", id="19 MB"),
    ],
)
def test_no_transcript_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(ParseError, match=message):
        read_script("0101.html", data)


@pytest.mark.attack("hostile pages", "broken pages")
@pytest.mark.parametrize(
    ("page", "expected"),
    [
        pytest.param(b"\xff\xfe" + GOOD.encode("utf-16-le"), SAID, id="utf-16 with BOM"),
        pytest.param(GOOD + "<p al", SAID, id="cut mid-tag"),
        pytest.param(f"<body>{GOOD}</body><body>{GOOD}</body>", SAID * 2, id="two bodies"),
        pytest.param(GOOD.replace("</b>", ""), SAID, id="unclosed b"),
        pytest.param("<font color=red>" + GOOD.replace("<p>", "<p><font size=3>"), SAID, id="unclosed font"),
        pytest.param("<p><b>Joey:</b> At 9:30, or 10:15: late.", [("Joey", "At 9:30, or 10:15: late.")], id="times"),
        pytest.param("<p><b>Joey:</b> Rule one: no.", [("Joey", "Rule one: no.")], id="colon in speech"),
        pytest.param("<p>[Scene: A park.<p><b>Joey:</b> Hi.", SAID[:1], id="open scene"),
        pytest.param("<p><b>José:</b> “Qué”".encode("cp1252"), [("José", '"Qué"')], id="cp1252"),
        pytest.param("<p><b>Joey:</b> Itâ€™s.", [("Joey", "Itâ€™s.")], id="mojibake stays visible"),
        pytest.param("<p><b>Joey:</b> Me &amp you &lt3.", [("Joey", "Me & you <3.")], id="entities without semicolon"),
        pytest.param("<script>Ross: no</script>" + GOOD, SAID, id="script with a label"),
        pytest.param("<h1>908 - The One</h1>" + GOOD, SAID, id="another episode's number in the title"),
        pytest.param("<p><b>Jоey:</b> Hi.", [("Jоey", "Hi.")], id="homoglyph speaker is no Joey"),
    ],
)  # fmt: skip
def test_broken_page_keeps_its_lines(page: str | bytes, expected: list[tuple[str, str]]) -> None:
    data = page if isinstance(page, bytes) else page.encode()
    assert conserve(data)
    assert said(data) == expected


def test_the_file_name_outranks_the_title_and_names_the_episode() -> None:
    data = ("<h1>908 - The One</h1>" + GOOD).encode()
    assert episode_of(data).id == "s01e01"
    assert said(data, "0102.html") == said(data)


@pytest.mark.attack("hostile pages", "broken pages")
@pytest.mark.parametrize(
    "extra",
    [
        "<p><b>" + "x" * 10_000 + ":</b> Hi.",
        "<p><b>Joey:</b> ((a) b) c) [d",
        pytest.param("<div>" * 100_000 + "deep", marks=pytest.mark.slow),
        pytest.param("<p><b>Joey:</b> " + "word " * 200_000, marks=pytest.mark.slow),
    ],
    ids=["long label", "brackets", "deep", "long line"],
)
def test_nothing_is_lost_after_two_good_lines(extra: str) -> None:
    data = (GOOD + extra).encode()
    assert conserve(data)
    if len(extra) < 5000:  # what is longer than any turn is refused
        assert said(data)[0] == SAID[0]
    assert re.sub(r"<[^>]*>|\s", "", extra) in "".join("".join(b.text.split()) for b in read_blocks(data))


# ---------------------------------------------------------------- the same page in another dress


def undeclared(page: Path) -> str:
    """The text of a page without the name of its charset, to be encoded in another."""
    return re.sub(r"(?i)charset=[^\s\"'>]*", "", decode(page.read_bytes()))


DRESSES: dict[str, Callable[[str], str]] = {
    "CRLF": lambda page: page.replace("\r\n", "\n").replace("\n", "\r\n"),
    "tag case": lambda page: re.sub(r"<(/?)(\w+)", lambda tag: f"<{tag[1]}{tag[2].swapcase()}", page),
    "wrapper divs": lambda page: re.sub(r"(?i)(<body[^>]*>)", r"\1<div><div class=x>", page) + "</div></div>",
    "comments": lambda page: re.sub(r"(?is)<!--.*?-->|(?=<p[ >])", lambda found: found[0] or "<!-- Ross: no -->", page),
    "nbsp": lambda page: re.sub(r"(?<=[\w,]) (?=\w+[^<>]*<)", "&nbsp;", page),
    "br for p": lambda page: re.sub(r"</p>\s*<p>", "<br><br>", page),
    "one br for p": lambda page: re.sub(r"(?i)<p[^>]*>", "<br>", re.sub(r"(?i)</p>", "", page)),
    "div for p": lambda page: re.sub(r"(?i)<(/?)p\b[^>]*>", r"<\1div>", page),
}


@pytest.mark.parametrize("dress", DRESSES)
@pytest.mark.parametrize("page", SAMPLES, ids=lambda page: page.stem)
def test_another_dress_says_the_same(page: Path, dress: str) -> None:
    text = undeclared(page)
    assert lines(DRESSES[dress](text).encode()) == lines(page.read_bytes())


@pytest.mark.slow
@needs_pages
@pytest.mark.parametrize("dress", DRESSES)
def test_another_dress_of_real_pages_says_the_same(dress: str) -> None:
    for page in sorted(PAGES.glob("*.html")):
        text = undeclared(page)
        assert said(DRESSES[dress](text).encode(), page.name) == said(page.read_bytes(), page.name), page.name


@pytest.mark.parametrize("page", SAMPLES, ids=lambda page: page.stem)
def test_windows_1252_says_the_same_as_utf_8(page: Path) -> None:
    text = undeclared(page)
    assert lines(text.encode("cp1252", "xmlcharrefreplace")) == lines(text.encode())


def render(episode: Episode[Line]) -> bytes:
    out = []
    for scene in episode.scenes:
        out += [f"<p>{html.escape(scene.heading)}</p>"] if scene.heading else []
        for event in scene.events:
            if isinstance(event, StageDirection):
                bold = event.text[:1] not in "([{<"  # a caption is known by its weight
                out.append(f"<p>{'<b>' * bold}{html.escape(event.text)}{'</b>' * bold}</p>")
            else:
                out.append(f"<p><b>{html.escape(event.cue)}:</b> {html.escape(event.text_with_directions)}</p>")
    return "\n".join(out).encode()


@pytest.mark.parametrize("page", SAMPLES, ids=lambda page: page.stem)
def test_own_rendering_reads_the_same(page: Path) -> None:
    once = episode_of(page.read_bytes())
    assert said(render(once)) == said(page.read_bytes())


@pytest.mark.slow
@needs_pages
def test_own_rendering_of_real_pages_reads_the_same() -> None:
    kept = total = 0
    for page in sorted(PAGES.glob("*.html")):
        once = said(page.read_bytes(), page.name)
        again = set(said(render(episode_of(page.read_bytes(), page.name)), page.name))
        kept += sum(line in again for line in once)
        total += len(once)
    assert kept >= 0.99 * total, f"{kept} of {total} lines"


@pytest.mark.attack("hostile pages", "broken pages")
@pytest.mark.parametrize("seed", range(20))
def test_damage_stays_in_its_scene(seed: int) -> None:
    rng = random.Random(seed)
    scenes = [
        f"<p>[Scene: Place {n}.]</p>\n<p><b>Joey:</b> (waves) Hi {n}.</p>\n<p><b>Ross:</b> Bye.</p>\n" for n in range(6)
    ]
    hurt = rng.randrange(6)
    part = rng.choice(["</b>", "</p>", ")", "]", "(", "<b>"])
    broken = [scene.replace(part, "", 1) if n == hurt else scene for n, scene in enumerate(scenes)]

    def others(page: list[str]) -> list[tuple[str, str]]:
        return [
            line for line in said("".join(page).encode()) if line[0] and f" {hurt}." not in line[1] and "Hi" in line[1]
        ]

    assert others(broken) == others(scenes)


# ---------------------------------------------------------------- the same bytes elsewhere; time and memory

PROBE = """
import hashlib, pathlib, sys
if sys.argv[1] == "blocked": sys.modules.update(charset_normalizer=None, chardet=None, cchardet=None)
from friends_corpus.parsing.script import read_script
from friends_corpus.parsing.normalise import normalise
out = [repr((s, normalise(e))) for p in sys.argv[2:] for s, e in [read_script("0101.html", pathlib.Path(p).read_bytes())]]
print(hashlib.sha256("".join(out).encode()).hexdigest())
"""


def test_the_same_bytes_give_the_same_everywhere(tmp_path: Path) -> None:
    def digest(cwd: Path, blocked: str, **environment: str) -> str:
        command = [sys.executable, "-c", PROBE, blocked, *map(str, [*SAMPLES, *DIALECTS])]
        env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
        return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=True).stdout

    here = digest(ROOT, "", PYTHONHASHSEED="0", LC_ALL="C.UTF-8", TZ="UTC")
    there = digest(tmp_path, "blocked", PYTHONHASHSEED="77", LC_ALL="C", LANG="C", TZ="Asia/Tokyo", PYTHONUTF8="0")
    assert here == there and len(here) == 65


@pytest.mark.attack("hostile pages", "pages that cost memory or time")
@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from Linux's /proc")
@pytest.mark.parametrize("unit", ["<p><b>Joey:</b> (waves) Hi.</p>", "<div>", "Joey: Hi. ", "<p>x", "<p>[x", "()"])
def test_memory_is_bounded(unit: str) -> None:
    probe = (
        "import re, sys\nfrom contextlib import suppress\nfrom pathlib import Path\nfrom friends_corpus.core.model import ParseError\n"
        "from friends_corpus.parsing.script import read_script\nfrom friends_corpus.parsing.normalise import normalise\n"
        'data = ("<p><b>Joey:</b> Hi.</p>" + sys.argv[1] * (1_000_000 // len(sys.argv[1]))).encode()\n'
        "status = Path('/proc/self/status')\n"  # ru_maxrss is inherited from a parent that was larger
        "peak = lambda: int(re.search(r'VmHWM:\\s+(\\d+)', status.read_text())[1]) * 1024\n"
        "before = peak()\nwith suppress(ParseError):\n    normalise(read_script('0101.html', data)[1])\n"  # of one turn
        "print(peak() - before, len(data))"
    )
    run = subprocess.run([sys.executable, "-c", probe, unit], cwd=ROOT, capture_output=True, text=True, check=True)
    used, size = map(int, run.stdout.split())
    assert size < used < 60 * size + 150_000_000
