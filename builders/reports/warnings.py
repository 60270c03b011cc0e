"""Warnings: what looks wrong in `lines` but may be right is counted and shown, never edited away."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import groupby, pairwise

import pyarrow as pa
import pyarrow.compute as pc
from typing_extensions import TypedDict

from builders.configs.lines import Row
from builders.configs.tables import episodes_of
from builders.splitting.duplicates import LONG_RUN, SEEN
from friends_corpus.core.ids import scene_of
from friends_corpus.core.manifest import Leakage
from friends_corpus.parsing.labels import SPEECH_START

EXAMPLES = 5
EXCERPT_AROUND = 30  # characters on each side of what was found
LONG_LINE = 1000  # characters; the longest speeches of the series stay below
LONG_SPEAKER = 40  # characters
LONG_SCENE = 120  # turns; where a transcriber marked no scenes, one goes through a whole act
REPEATED_LINE = 20  # characters; "No!" may well be said twice

LABEL = re.compile(r"(?<![\w.'’])([A-Z][\w.'’]*(?: (?:and |& )?[A-Z#][\w.'’]*){0,3})\s*:")  # "Mr. Geller:", "JOEY:"
STRANGER = re.compile(  # "Maybe. Bellhop: Your", "Maybe! Old Man in the Back of Bus #2: Your": a name that nobody knows
    r"(?<=[.!?…)\]\"”'’] )([A-Z][\w.'’-]*(?: (?:(?:and|at|for|in|of|on|the|to|with|&) ){0,2}[A-Z#\d][\w.'’-]*){0,7}) ?:"
    r"(?= [\"“'‘(\[]?[A-Z])"
)
MOJIBAKE = re.compile(
    r"[ÃÂ][\x80-\xbf€‚ƒ„†‡ˆ‰Š‹ŒŽ•˜™š›œžŸ]|â[€\x80]"  # UTF-8 read as cp1252: "Ã©", "â€™"
    r"|[\ufffd\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060\ufeff\ue000-\uf8ff]"  # no characters
)
TAGS = "a|b|big|blockquote|body|br|center|div|em|font|h[1-6]|hr|i|img|li|p|pre|small|span|strong|table|td|tr|u|ul"
MARKUP = re.compile(rf"(?i)</?(?:{TAGS})\b[^<>]*>|&(?:#\d+|#x[\da-f]+|[a-z]{{2,6}});|<!--")  # "<b>", "&nbsp;", "&#146;"
ADDRESS = re.compile(r"@[\w-]+\.\w|https?:\S|www\.\w")  # "fan@example.org", "www.example.org"
UNUSUAL = re.compile(r"[^ -~]|[<&@]|www|http")  # what any of the three above needs: "é", "&"
BRACKET = re.compile(r"[()\[\]{}]")  # "("
NOT_PLAIN = (  # what any rule on a text of a line needs: "é", "&", "(", two blanks, one at an end, no letter at all
    r"[^ -~]|[<&@:()\[\]{}]|www|http|  |^ | $|^[^A-Za-z0-9]*$"
)
WORD = re.compile(r"\w")
READ = ("text", "text_with_directions", "cue", "speaker")  # the texts of a row
PARTNER = {")": "(", "]": "[", "}": "{"}

MEANINGS = {
    "label in text": "a speaker's label inside a text: two turns may be glued together",
    "bracket in speech": "a bracket in `text`, which should have no stage directions",
    "unbalanced brackets": "a bracket in `text_with_directions` without its partner: a direction may reach too far",
    "mojibake": "characters of a wrong encoding, or none that print",
    "markup": "remains of HTML",
    "address": "an e-mail or web address",
    "odd blanks": "double blanks, line breaks, or blanks at an end",
    "no word": "a text without a letter or digit",
    "long line": f"more than {LONG_LINE:,} characters in one turn",
    "long speaker": f"a speaker's name of more than {LONG_SPEAKER} characters",
    "repeated line": f"the turn before it again, by the same speaker ({REPEATED_LINE} characters or more)",
    "empty heading": "a scene heading without a word",
    "long scene": f"a scene of more than {LONG_SCENE} turns: headings may be missing",
    "no lines": "an episode of which no line is shipped",
    "seen elsewhere": f"more than {SEEN * 100:g} % of a split's runs of {LONG_RUN} words are in another split, too",
}


@dataclass(frozen=True, slots=True)
class Suspicion:
    """One place worth a look. `id` is that of the line (of the first line, for a scene), or of the episode."""

    kind: str
    id: str
    excerpt: str


def find_suspicions(lines: pa.Table, episodes: Collection[str]) -> list[Suspicion]:
    """Find everything suspicious in `lines`; `episodes` are the ids of those that should have lines.

    >>> row = {"id": "s01e01_c01_u0000", "speaker": "Joey", "speakers": ["Joey"], "cue": "Joey", "scene": 1}
    >>> row |= {"scene_heading": None, "text": "Hi. Joey: Bye", "text_with_directions": "Hi."}
    >>> find_suspicions(pa.Table.from_pylist([row]), ["s01e01"])
    [Suspicion(kind='label in text', id='s01e01_c01_u0000', excerpt='Hi. Joey: Bye')]
    """
    names = {name.casefold() for name in pc.unique(pc.list_flatten(lines["speakers"])).to_pylist() if name}
    without_lines = set(episodes).difference(pc.unique(episodes_of(lines)).to_pylist())
    return [
        *(one for row in _worth_reading(lines).to_pylist() for one in _in_line(row, names)),
        *_repeated(lines),
        *_in_scenes(lines),
        *(Suspicion("no lines", id, "") for id in sorted(without_lines)),
    ]


def _worth_reading(lines: pa.Table) -> pa.Table:
    """Select the rows that a rule on single lines could match: about a third, by one pattern."""
    long = pc.or_(
        pc.greater(pc.utf8_length(lines["text"]), LONG_LINE), pc.greater(pc.utf8_length(lines["speaker"]), LONG_SPEAKER)
    )
    odd = (pc.match_substring_regex(lines[name], NOT_PLAIN) for name in READ)
    return lines.select(["id", *READ]).filter(reduce(pc.or_, odd, long))


def _in_line(row: Row, names: Collection[str]) -> Iterator[Suspicion]:
    id, text, printed = row["id"], row["text"], row["text_with_directions"]
    if ":" in text:
        labels = [match for match in LABEL.finditer(text) if _is_label(match[1], names)]
        labels += [match for match in STRANGER.finditer(text) if not SPEECH_START.match(match[1])]
        yield from (Suspicion("label in text", id, excerpt(text, *match.span())) for match in labels[:1])
    if bracket := BRACKET.search(text):
        yield Suspicion("bracket in speech", id, excerpt(text, *bracket.span()))
    if " ".join(text.split()) != text:
        yield Suspicion("odd blanks", id, repr(excerpt(text, 0, 0)))
    for value in dict.fromkeys((printed, row["cue"], row["speaker"])):
        yield from _in_any_text(id, value)
    lonely = lonely_bracket(printed)
    if lonely is not None:
        yield Suspicion("unbalanced brackets", id, excerpt(printed, lonely, lonely + 1))
    if WORD.search(text) is None:
        yield Suspicion("no word", id, excerpt(text, 0, len(text)))
    if len(text) > LONG_LINE:
        yield Suspicion("long line", id, f"{len(text):,} characters")
    if len(row["speaker"]) > LONG_SPEAKER:
        yield Suspicion("long speaker", id, row["speaker"])


def _repeated(lines: pa.Table) -> Iterator[Suspicion]:
    columns = zip(*(lines[name].to_pylist() for name in ("text", "speaker", "scene")), strict=True)
    for id, (before, line) in zip(lines["id"][1:].to_pylist(), pairwise(columns), strict=True):
        if line == before and len(line[0]) >= REPEATED_LINE:
            yield Suspicion("repeated line", id, excerpt(line[0], 0, 0))


def _in_scenes(lines: pa.Table) -> Iterator[Suspicion]:
    turns = zip(lines["id"].to_pylist(), lines["scene_heading"].to_pylist(), strict=True)
    for _, scene in groupby(turns, lambda turn: scene_of(turn[0])):
        (id, heading), *rest = scene
        if heading is not None:
            yield from _in_any_text(id, heading)
            if WORD.search(heading) is None:
                yield Suspicion("empty heading", id, heading)
        if len(rest) >= LONG_SCENE:
            yield Suspicion("long scene", id, f"{len(rest) + 1:,} turns")


def _in_any_text(id: str, text: str) -> Iterator[Suspicion]:
    if UNUSUAL.search(text) is None:
        return  # as nearly always, and three patterns sooner
    for kind, pattern in (("mojibake", MOJIBAKE), ("markup", MARKUP), ("address", ADDRESS)):
        if match := pattern.search(text):
            yield Suspicion(kind, id, excerpt(text, *match.span()))


def _is_label(label: str, names: Collection[str]) -> bool:
    """Tell whether a label-like word names a speaker or is all capitals.

    >>> _is_label("Good morning Mr. Geller", ["mr. geller"]), _is_label("Listen", ["joey"]), _is_label("JOEY", [])
    (True, False, True)
    """
    words = label.split()
    ends = (" ".join(words[start:]).casefold() for start in range(len(words)))
    return any(end in names for end in ends) or (len(words[-1]) > 2 and words[-1].isupper())


def lonely_bracket(text: str) -> int | None:
    """Return the index of the first unmatched bracket, or None.

    >>> lonely_bracket("(waving) Hi [there"), lonely_bracket("(waving)"), lonely_bracket("(waving]")
    (12, None, 7)
    """
    open_at: list[int] = []
    for match in BRACKET.finditer(text):
        partner = PARTNER.get(match[0])
        if partner is None:
            open_at.append(match.start())
        elif open_at and text[open_at[-1]] == partner:
            open_at.pop()
        else:
            return match.start()
    return open_at[0] if open_at else None


def excerpt(text: str, start: int, end: int) -> str:
    """Return part of a text with a little context.

    >>> excerpt("x" * 99 + "Joey:" + "y" * 99, 99, 104)
    '…xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxJoey:yyyyyyyyyyyyyyyyyyyyyyyyyyyyyy…'
    """
    left, right = max(0, start - EXCERPT_AROUND), min(len(text), max(start, min(end, start + 60)) + EXCERPT_AROUND)
    return f"{'…' if left else ''}{text[left:right]}{'…' if right < len(text) else ''}"


class Example(TypedDict):
    """A place where a warning was found."""

    id: str
    excerpt: str


class WarningCount(TypedDict):
    """A kind of warning in stats.json."""

    kind: str
    meaning: str
    count: int
    examples: list[Example]


def count_suspicions(suspicions: Sequence[Suspicion]) -> list[WarningCount]:
    """Count the warnings of each kind with the first few examples, most serious first."""
    table: list[WarningCount] = []
    for kind, meaning in MEANINGS.items():
        hits = [suspicion for suspicion in suspicions if suspicion.kind == kind]
        if hits:
            examples: list[Example] = [{"id": hit.id, "excerpt": hit.excerpt} for hit in hits[:EXAMPLES]]
            table.append({"kind": kind, "meaning": meaning, "count": len(hits), "examples": examples})
    return table


def find_leaks(leakage: Leakage) -> list[Suspicion]:
    """Find held-out splits that share more with another split than allowed."""
    return [
        Suspicion(
            "seen elsewhere", row["split"], f"{row['shared_runs_share'] * 100:.3f} % are in {row['against']}, too"
        )
        for row in leakage["splits"]
        if not row["within_target"]
    ]
