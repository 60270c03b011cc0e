"""What is a line without a label? The patterns of headings, directions, markers, credits and notes.

They describe how transcribers write and never one page. All are matched against a line with its blanks folded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .brackets import CLOSERS, OPENERS, match_brackets
from .cues import Habits
from .wording import wording

DIRECTION_KINDS = ("direction", "transition", "caption")  # what tells the actors or the viewer something
HEAD_KINDS = frozenset(("title", "credit", "note", "dropped:address", "dropped:navigation"))

SCENE = re.compile(  # "[Scene: Central Perk", "(Scene: …", "[Tag Scene:", "[SCENE, …", "[Scene Central Perk"
    r"(?i)(?:[(\[{<*\s-]*(?:(?!flash|cut|time)\w+ ){0,3}sc(?:ene?|ence)s?\s*:"
    r"|[\s(]*[\[{](?:\w+ ){0,2}scenes?\b(?:\s*[,;.–-]|\s?[)\]]|\s(?-i:[A-Z\d])))"
)
TRANSITION = re.compile(  # within a scene: "[Cut to", "(Time Lapse)", "[Flashback", "-Cuts to", "[Later, …]"
    r"(?i)[(\[{<*\s-]*(?:cuts?(?: back| again| forward)*(?: to\b|[:,.\s])|time[ -]?lapse|flash ?(?:back|forward)s?\b"
    r"|later\b|meanwhile\b|back (?:at|in|to|with)\b|the next (?:day|morning|night)\b)"
)
MARKER = re.compile(  # "Opening Credits", "[INTRO]", "COMMERCIAL BREAK", "The End", "To Be Continued…"
    r"(?i)[\W_]*(?:(?:the )?(?:opening|closing|ending|end|main|starting|final) (?:credits?|titles?|sequence|theme|tag)"
    r"|intro|(?:commercials?|commerical)(?: break)?|credits?|the end|end|fade (?:out|in|to black)|to be continued"
    r"|theme song)[\W_]*"
)
END = re.compile(r"(?i)[\W_]*(?:the )?end(?: tag)?[\W_]*")  # "End", "THE END", "[END TAG]"
CREDIT = re.compile(  # "Originally written by …", "Part I Written by: …", "Teleplay: …", "Aired: 30/01/2003"
    r"(?i)[\s(\[]*(?:parts?|episodes?|flashback|originally|orginally|original air|additional|minor|with|final|html\w*"
    r"|written|story|teleplay|transcri\w+|directed|produced|aired|air ?date|created|hosted|based)\b[^:]{0,60}?"
    r"(?:\b(?:by|from|transcribed|date)\b|:)"
    r"|[^:]{0,40}\b(?:written|transcribed|transcript|directed|produced|teleplay|story|aired|adjustments|additions|html\w*)"
    r"\s*(?:by\b|:)"
)
NOTE = re.compile(  # "{Transcriber's Note: …}", "(Note: …)", "{…}"
    r"(?i)[(\[{*\s]*(?:(?:transcriber|editor|author)?[’'`]?s?\s*note\s*[:;]|n\.?b\.?:)|\s*\{"
)
SPEECH_LIKE = re.compile(r"(?i)\b(?:i|i['’]\w+|you|you['’]\w+|we|we['’]\w+|me|us|my|your|our)\b|[!?]\W*$")
PROSE_DIRECTION = re.compile(  # an unbracketed line about somebody: "Monica opens her front door."
    r"([A-Z][\w'’]+)(?:"
    r" (?:(?:is|was) (?:\w+ing|in|on|at|there|still|already)|has \w+ed|comes|goes|\w+(?:[^s’']s|ches|shes))"
    r"|(?:,? and [A-Z][\w'’]+|, [A-Z][\w'’]+)+ (?:are (?:\w+ing|in|on|at|there|still)|have \w+ed|come|go|enter|exit"
    r"|leave|make|open|walk|look|sit|stand|run|start|put|take|turn|hang|get|kiss|hug|laugh|smile|nod)"
    r")\b(?<!\bsays)(?<!\bgoes)(?<!\bmeans)(?<!\bdoes)(?<!\bhas)"
)


@dataclass(slots=True)
class Place:
    """Where in a page the next line stands."""

    head: bool = True  # before the first heading, direction or cue
    titled: bool = False  # a title has been seen
    ended: bool = False  # after "The End"
    speaking: bool = False  # a line without a label goes on with somebody's speech

    def move_past(self, text: str, kinds: set[str]) -> None:
        """Take note of a line and the kinds of what was found in it."""
        self.head = self.head and kinds <= HEAD_KINDS
        self.titled = self.titled or "title" in kinds
        self.ended = self.ended or bool(END.fullmatch(text))
        self.speaking = "cue" in kinds or (self.speaking and not kinds & {"heading", "marker"})


def holds_no_first_cue(text: str, heading: bool, head: bool, habits: Habits) -> bool:
    """Lines that may begin like a label but are none: "Written by: …", "Scene: …", "Note: …"."""
    return bool(
        heading
        or (head and (CREDIT.match(text) or wording(habits.show).title.match(text)))
        or NOTE.match(text)
        or SCENE.match(text)
        or wording(habits.show).bare_transition.fullmatch(text)
        or (TRANSITION.match(text) and is_wrapped(text))
        or MARKER.fullmatch(text)
    )


def kind_of_line(text: str, paragraph: bool, heading: bool, bold: bool, place: Place, habits: Habits) -> str:
    """The kind of a whole line without a label; "speech" for one that goes on with the speech before it.

    `text` has its blanks folded, `paragraph` tells that no mere <br> began it, `heading` and `bold` how it is printed.
    """
    bracket = text.strip(" *")[:1]
    wrapped = is_wrapped(text)
    words = wording(habits.show)
    kind = "speech"
    if MARKER.fullmatch(text):
        kind = "marker"
    elif SCENE.match(text) and (wrapped or bracket not in OPENERS):
        kind = "heading"
    elif NOTE.match(text) and (wrapped or bracket not in OPENERS):
        kind = "note"
    elif (place.head or place.ended) and CREDIT.match(text) and not words.title.match(text):
        kind = "credit"
    elif heading:
        kind = "title" if place.head else "heading"
    elif (place.head or place.ended) and len(text) < 200 and words.navigation.fullmatch(text):
        kind = "dropped:navigation"
    elif (TRANSITION.match(text) and wrapped) or (paragraph and words.bare_transition.fullmatch(text)):
        kind = "transition"
    elif wrapped:
        kind = "heading" if words.place.fullmatch(text) and (bold or bracket == "[") else "direction"
    elif place.ended and not place.speaking:
        kind = "dropped:navigation"
    elif place.head and words.title.match(text):
        kind = "title"
    elif place.head and not (bold and place.titled):
        kind = "title" if bold else "note"
    elif paragraph and not (place.speaking and SPEECH_LIKE.search(text)):
        actor = PROSE_DIRECTION.match(text)
        if actor and habits.knows(actor[1].removesuffix("'s")):
            kind = "direction"
        elif words.bare_place.fullmatch(text):
            kind = "heading"
        elif (bold and len(text) < 60 and ":" not in text) or text.startswith(">>>"):
            kind = "caption"
    return kind


def kind_of_bracket(text: str) -> str:
    """The kind of a bracket that stands inside a line."""
    if SCENE.match(text):
        return "heading"
    if NOTE.match(text):
        return "note"
    return "transition" if text[0] == "[" and TRANSITION.match(text) else "direction"


def is_wrapped(text: str) -> bool:
    """Whether a line is one bracket from end to end, closed or not.

    >>> is_wrapped("(Ross enters.)"), is_wrapped("[Ross enters"), is_wrapped("(sits) Hi."), is_wrapped("...")
    (True, True, False, False)
    """
    stripped = text.strip(" \xa0*.")
    return bool(stripped) and stripped[0] in OPENERS and match_brackets(stripped).get(0, 0) == len(stripped)


def opens_over_the_end(text: str) -> bool:
    """Whether the last bracket of a line is not closed in it: "Hi. (He walks to the"."""
    spans = match_brackets(text)
    last = max(spans, default=-1)
    return last >= 0 and spans[last] == len(text) and text.rstrip()[-1:] not in CLOSERS
