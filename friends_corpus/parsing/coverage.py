"""Was the page read, or wrecked? A page whose dialogue was glued together fails; what may be right is a warning."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from friends_corpus.core.model import SPOKEN_KINDS, Episode, Line, ParseError, Segment, Utterance
from friends_corpus.show.speakers import key

from .marks import SPEECH_START

FEW = 30  # lines of dialogue from which on ratios say something
LONGEST, LONG = 5000, 2000  # characters of a turn; the longest speech of the series has 1,300
LEAST_READ = 0.25  # of the text in somebody's turn; the series has 0.55 or more
GLUED = 0.1  # of the turns: as many lines inside them that begin like a label
ONE_SPEAKER = 0.8  # of the lines; the series has 0.4 at most
LABEL_LIKE = re.compile(  # "PICARD: Engage", "Holm - Tea": at the start of a line in somebody's speech
    r"^[\s\"“]*([^\W\d_a-z][\w.'’]*(?: [\w.'’#&]+){0,3}) ?(?:[:：]|[-–—] )", re.M
)
REMEDY = "write each label as 'NAME:' at the start of its line, or name the speakers in the show's speakers.csv"


def glued_labels(turns: Sequence[Utterance]) -> list[str]:
    """Return the lines inside turns that begin like a label, if the same ones recur: two turns became one."""
    lines: list[tuple[str, str]] = []
    for part in (part for turn in turns for part in turn.parts if part.kind == "speech"):
        starts = [match for match in LABEL_LIKE.finditer(part.text) if not SPEECH_START.match(match[1])]
        lines += [(key(match[1]), part.text[match.start() :].split("\n", 1)[0].strip()) for match in starts]
    counts = Counter(name for name, _ in lines)
    return [line for name, line in lines if counts[name] > 1]


def check_coverage(segments: Sequence[Segment], episode: Episode[Utterance]) -> None:
    """Refuse a page of which little was read, or in which turns were glued together. Raises ParseError."""
    turns = list(episode.utterances())
    texts = [segment.text.strip() for segment in segments if not segment.kind.startswith("dropped:")]
    lines = sum(text.count("\n") + 1 for text in texts)
    if not turns:
        example = max((text for text in texts), key=len, default="")[:60]
        raise ParseError(
            f"no speaker label such as 'Joey:' in {lines} lines like “{' '.join(example.split())}”; {REMEDY}"
        )
    longest = max(turns, key=lambda turn: len(turn.text))
    if len(longest.text) > LONGEST:
        raise ParseError(
            f"one turn of {longest.cue!r} has {len(longest.text):,} characters: labels were missed; {REMEDY}"
        )
    glued = glued_labels(turns)
    if len(glued) >= max(5, GLUED * len(turns)):
        raise ParseError(f"found {len(glued)} lines inside speech that begin like a label: “{glued[0][:60]}”; {REMEDY}")
    spoken = {part.order for turn in turns for part in turn.parts if part.kind in SPOKEN_KINDS}
    read = sum(len(segment.text) for segment in segments if segment.order in spoken)
    share = read / max(1, sum(map(len, texts)))
    if share < LEAST_READ and lines >= FEW:
        raise ParseError(f"only {len(turns)} turns, {share:.0%} of the text, have a label; {REMEDY}")


def doubts(episode: Episode[Line]) -> Iterator[str]:
    """Yield what looks wrong in a page that was read, and may be right."""
    lines = [line for line in episode.utterances() if line.text]
    longest = max(lines, key=lambda line: len(line.text), default=None)
    if longest and len(longest.text) > LONG:
        yield f"{episode.page}: one turn of {longest.cue} has {len(longest.text):,} characters; were labels missed?"
    speakers = Counter(name for line in lines for name in line.speakers)
    if len(lines) >= FEW and (name := speakers.most_common(1)[0])[1] > ONE_SPEAKER * len(lines):
        yield f"{episode.page}: {name[0]} has {name[1]} of {len(lines)} lines; were other labels missed?"
