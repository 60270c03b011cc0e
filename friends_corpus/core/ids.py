"""Format and parse the ids of episodes, scenes, lines and chunks.

s06e15            episode; a page with two takes the first number, an outtakes page has none: s07
s01e01_c03        scene, from 1 within the page
s01e01_c03_u0012  line, from 0 through the whole page
s01e01_c03_k02    chunk, from 1 within the scene
"""

import re
import unicodedata
from typing import Literal

EPISODE = "s[0-9]{2}e[0-9]{2}"  # "s06e15"
ROW = re.compile("s([0-9]{2})e([0-9]{2})_c([0-9]{2,})_(?:u([0-9]{4,})|k([0-9]{2,}))")  # "s01e01_c03_u0012"
EPISODE_PART = "^(?P<episode>[^_]*)"  # "s01e01" in "s01e01_c03_u0012"; pyarrow reads these two as well
NAME_PART = re.compile(r"[^\W_]+")  # "joey", "tribbiani"
SCENE_PART = "^(?P<scene>.*)_"  # "s01e01_c03" in "s01e01_c03_u0012"


def episode_id(season: int, number: int | None) -> str:
    """Return the id of an episode, or of a page without a number.

    >>> episode_id(6, 15), episode_id(7, None)
    ('s06e15', 's07')
    """
    return f"s{season:02d}" + ("" if number is None else f"e{number:02d}")


def scene_id(episode: str, scene: int) -> str:
    """Return the id of a scene.

    >>> scene_id("s01e01", 3)
    's01e01_c03'
    """
    return f"{episode}_c{scene:02d}"


def line_id(episode: str, scene: int, position: int) -> str:
    """Return the id of a line.

    >>> line_id("s01e01", 3, 12)
    's01e01_c03_u0012'
    """
    return f"{scene_id(episode, scene)}_u{position:04d}"


def chunk_id(scene: str, number: int) -> str:
    """Return the id of a chunk.

    >>> chunk_id("s01e01_c03", 2)
    's01e01_c03_k02'
    """
    return f"{scene}_k{number:02d}"


def speaker_id(name: str) -> str:
    """Return the id of a person, or of what else speaks: the full name, or the display name, as a slug.

    >>> speaker_id("Joey Tribbiani"), speaker_id("C.H.E.E.S.E."), speaker_id("Café Owner #2"), speaker_id("?")
    ('joey-tribbiani', 'c-h-e-e-s-e', 'cafe-owner-2', 'unknown')
    """
    letters = (char for char in unicodedata.normalize("NFKD", name.casefold()) if not unicodedata.combining(char))
    return "-".join(NAME_PART.findall("".join(letters).replace("'", ""))) or "unknown"


def season_of(id: str) -> int:
    """Return the season in any of these ids.

    >>> season_of("s06e15"), season_of("s07")
    (6, 7)
    """
    return int(id[1:3])


def episode_of(id: str) -> str:
    """Return the episode id in the id of a scene, line or chunk.

    >>> episode_of("s01e01_c03_u0012"), episode_of("s01e01_c03")
    ('s01e01', 's01e01')
    """
    return id.partition("_")[0]


def scene_of(id: str) -> str:
    """Return the scene id in the id of a line or chunk.

    >>> scene_of("s01e01_c03_u0012"), scene_of("s01e01_c03_k02")
    ('s01e01_c03', 's01e01_c03')
    """
    return id.rpartition("_")[0]


def kind_of(id: str) -> Literal["line", "chunk"] | None:
    """Tell the id of a line from that of a chunk; None where it is neither.

    >>> kind_of("s01e01_c03_u0012"), kind_of("s01e01_c03_k02"), kind_of("Joey")
    ('line', 'chunk', None)
    """
    match = ROW.fullmatch(id)
    return None if match is None else "line" if match[4] else "chunk"


def numbers_of(id: str) -> tuple[int, ...]:
    """Return season, episode, scene and position or chunk in a row's id, or () for another id.

    >>> numbers_of("s01e02_c03_u0012"), numbers_of("s01e02_c03_k04"), numbers_of("Joey")
    ((1, 2, 3, 12), (1, 2, 3, 4), ())
    """
    match = ROW.fullmatch(id)
    return tuple(int(number) for number in match.groups() if number) if match else ()
