"""One small page per dialect, its expected script beside it: tests/pages/NAME.html and NAME.txt.

To add one, save a page of invented dialogue in the markup and write down what it says.
"""

from pathlib import Path

import pytest

from friends_corpus.core.model import StageDirection
from friends_corpus.parsing.normalise import normalise
from friends_corpus.parsing.script import read_script

PAGES = sorted((Path(__file__).parents[1] / "pages").glob("*.html"))


def script(data: bytes) -> str:
    """A page as one reads it: title line, "== heading", "Speakers: text as printed", directions on their own line."""
    episode = normalise(read_script("0101.html", data)[1])
    written, transcribed = ", ".join(episode.written_by), ", ".join(episode.transcribed_by)
    out = [f"{episode.title} | written by {written} | transcribed by {transcribed}"]
    for scene in episode.scenes:
        if scene.events or scene.heading:
            out.append(f"== {scene.heading}")
        for event in scene.events:
            if isinstance(event, StageDirection):
                out.append(event.text)
            else:
                out.append(f"{' + '.join(event.speakers)}: {event.text_with_directions}")
    return "\n".join(out) + "\n"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page_reads_as_written_down(page: Path) -> None:
    assert script(page.read_bytes()) == page.with_suffix(".txt").read_text(encoding="utf-8")
