"""What is a line without a label? The patterns of headings, directions, markers, credits and notes.

They describe how transcribers write and never one page. All are matched against a line with its blanks folded.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from friends_corpus.core.model import Block
from friends_corpus.show.wording import wording

from .brackets import CLOSERS, OPENER, OPENERS, first_unopened_closer, match_brackets
from .habits import Habits

HEAD_KINDS = frozenset(("title", "credit", "note", "dropped:address", "dropped:navigation"))

SCENE = re.compile(  # "[Scene: Central Perk", "(Scene: …", "[Tag Scene:", "[SCENE, …", "[Scene a park", "Scene 2."
    r"(?i)(?:[()\[\]{}<>*\s.|'-]*(?:(?!flash|cut|time)\w+ ){0,3}(?!senses?\b|see[ns]\b|essence)[scen]{4,7}"  # "Secne:"
    r"(?: \w{1,9})?\s*:"
    r"|[\s(]*[\[({]setting ?[:,]"
    r"|[\s(]*[\[{](?:\w+ ){0,2}scenes?\b(?:\s*[,;.–-]|\s?[)\]]|\s(?!(?:is|was|continues|changes|shifts|ends)\b))"
    r"|scene \d+\.)"
)
SCENE_INSIDE = re.compile(r"(?i)[(\[{]\s*(?:\w+ ){0,2}scenes?\s*:")  # "(Ross sits.) [Scene: A park.]"
TRANSITION = re.compile(  # within a scene: "[Cut to", "(Time Lapse)", "[Flashback", "-Cuts to", "[Later, …]"
    r"(?i)[(\[{<*\s-]*(?:(?:(?:camera|quick|jump) )?cuts?(?: back| again| forward)*(?: to\b|[:,.\s])|time[ -]?lapse"
    r"|flash ?(?:back|forward)s?\b"
    r"|later\b|meanwhile\b|back (?:at|in|to|with)\b|the next (?:day|morning|night)\b)"
)
BARE_TRANSITION = re.compile(  # "Cuts to the hall.", "Time lapse. Ross is still there.", "Later, at the hall."
    r"(?i)[\s–-]*(?:cuts?(?: back| again)* to\b|time[ -]?lapse\b|flash ?backs?\b|fades? (?:in|out)\b"
    r"|later(?:,|(?: that| at| in)\b))"
)
MARKER = re.compile(  # "Opening Credits", "[INTRO]", "COMMERCIAL BREAK", "The End", "To Be Continued…"
    r"(?i)[\W_]*(?:(?:the )?(?:opening|closing|ending|end|main|starting|final) (?:credits?|titles?|sequence|theme|tag)"
    r"|intro|(?:commercials?|commerical)(?: break)?|credits?|(?:the )?end(?: of (?:the )?(?:episode|show))?|fin"
    r"|fade (?:out|in|to black)|to be continued|theme song)[\W_]*"
)
PART = re.compile(  # "Part Two", "End of Act I", "* * *": between two parts of a page
    r"(?i)\W*(?:(?:the )?end of )?(?:part|act|episode) (?:[ivx]+|\d+|one|two|three|four|five)(?: ?: ?[^:]{0,60})?\W*"
    r"|(?:[*_=~#–—+|•·-]\s*){3,}"
)
CAPTION = re.compile(  # "Two weeks later", "Present Day", "1987": what the viewer reads
    r"(?i)\W*(?:(?:an?|one|two|three|four|five|six|seven|eight|nine|ten|twelve|twenty|several|some|many|a few"
    r"|a couple(?: of)?|\d+) (?:second|minute|hour|day|night|week|month|year)s? (?:later|earlier)"
    r"|present day|(?:19|20)\d\d)\W*"
)
END = re.compile(  # "End", "THE END", "[END TAG]", "End of episode"
    r"(?i)[\W_]*(?:(?:the )?end(?: tag| of (?:the )?(?:episode|show))?|fin)[\W_]*"
)
CREDIT = re.compile(  # "Originally written by …", "Part I Written by: …", "Teleplay: …", "Aired: 30/01/2003"
    r"(?i)[\s(\[]*(?:parts?|episodes?|flashback|originally|orginally|original air|additional|minor|with|final|html\w*"
    r"|written|story|teleplay|transcri\w+|typed|directed|produced|aired|air ?date|created|hosted|based)\b[^:]{0,60}?"
    r"\b(?:by|from|transcribed|date)\b"
    r"|(?:écrit|scénario|réalisé|transcrit|scritto|diretto|geschrieben|regie|escrito|dirigido)\b.{0,12}\b(?:par|de|da|von|por)\b"
    r"|[^:]{0,40}\b(?:written|transcribed|transcript|directed|produced|hosted|created|teleplay|story|aired|air ?date"
    r"|adjustments|additions|final check|html\w*)\s*(?:by\b|:)"
)
BYLINE = re.compile(  # "Part II Written by: …": a credit wherever it stands
    r"(?i)[\s(\[]*(?:part \w+ )?(?:originally )?(?:written|story|teleplay|directed|produced|transcribed)"
    r"(?: ?(?:and|&|/) ?\w+)? by ?:"
)
EXCLAIMED = re.compile(r"[!?][^\w!?]*\Z")  # "Go home!" is no link
FOOT = re.compile(  # "© 1996 …", "Transcribed by Jane", "www.example.org"; credits and navigation stand there, too
    r"(?i)\W*(?:©|\(c\)|copyright|disclaimer|(?:transcri\w+|typed|written|html\w*)\b.{0,20}\bby\b"
    r"|(?:https?://|www\.)\S+\Z)"
)
NOTE = re.compile(  # "{Transcriber's Note: …}", "(Note: …)", "{…}"
    r"(?i)[(\[{*\s]*(?:(?:transcriber|editor|author)?[’'`]?s?\s*note\s*[:;]|n\.?b\.?:)|\s*\{"
)
ADDRESS = re.compile(  # "(jane@example.org)", "mailto:jane@example.org"
    r"\s{0,3}[(\[<]?(?:mailto:)?\b[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,8}\s{0,3}[)\]>]?"
)
TITLE_LINE = re.compile(  # "Titre US : The One", "Original title: …": of the head, in the form of a label
    r"(?i)(?:\w+ )?(?:titles?|titre|titel|titolo|título|titulo)(?: \w+)? ?:"
)
NARRATED = re.compile(  # the viewer's "us" and "we": "a noise that tells us how hot it is", "We see the street."
    r"(?i)\b(?:tell|show|let|leav|giv|bring|tak)(?:s|es|ing) us\b"
    r"|\bwe (?:see|hear|cut|fade|pan|follow|go|get|come) ?(?:back)?\b"
)
DISCLAIMER = re.compile(r"(?i)\W*disclaimer ?:")
STARRED = re.compile(r"\*{2,}[^*]+\*{2,}")  # "***The kettle boils over.***"
SPEECH_LIKE = re.compile(r"(?i)\b(?:i|i['’]\w+|you|you['’]\w+|we|we['’]\w+|me|us|my|your|our)\b|[!?](?=[^\w!?]*\Z)")
PROSE_DIRECTION = re.compile(  # an unbracketed line about somebody: "Monica opens her front door."
    r"([A-Z][\w'’]+)(?:"
    r" (?:(?:is|was) (?:\w+ing|in|on|at|there|still|already)|has \w+ed"
    r"|(?!(?:says|goes|means|does|has|is|was|knows|likes|loves|hates|wants|needs|thinks|always|this|us|guys|yours)\b)"
    r"\w+(?:[^s’']s|ches|shes))"
    r"|(?:,? and [A-Z][\w'’]+|, [A-Z][\w'’]+)+ (?:are (?:\w+ing|in|on|at|there|still)|have \w+ed|come|go|enter|exit"
    r"|leave|make|open|walk|look|sit|stand|run|start|put|take|turn|hang|get|kiss|hug|laugh|smile|nod)"
    r")\b"
)
SCENE_LOOK = re.compile(r"(?i)(?:^|[ ._-])(?:scene|scène|slug|setting|place|location|heading)|(?:^| )[su]\Z")  # <s>
ACTION_LOOK = re.compile(r"(?i)(?:^|[ ._-])(?:direction|action|stage|paren|narrat|descri|didascal)|(?:^| )(?:i|cite)\Z")
BARE_LOOK = re.compile(r"(?:^| )[a-z]+\Z")  # of a tag alone: says something only where labels are marked so, too
NOISE = re.compile(  # "[Laughter]": short, and no place
    r"(?i)\W*(?:\w+ )?(?:laugh|applau|paus|beat|music|silen|knock|phone|door|bell|sigh|gasp|cheer|clap|bang|crash|beep)"
)
SLUG = re.compile(r"(?:INT|EXT|INT\.?/EXT|I/E|INTERIOR|EXTERIOR)\b[.: ]", re.I)  # "INT. KITCHEN – NIGHT"
FEW_SCENES = 3  # a page with fewer lines like "[Scene: …]" may name its scenes by places alone


@dataclass(slots=True)
class Place:
    """Where in a page the next line stands."""

    head: bool = True  # before the first heading, direction or cue
    titled: bool = False  # a title has been seen
    ended: bool = False  # after "The End", or in the foot of the page
    speaking: bool = False  # a line without a label goes on with somebody's speech
    few_scenes: bool = False  # "[at Central Perk]" is a heading here
    bracketed: bool = False  # "[Bridge]" is a heading here: all of its kind are places

    def move_past(self, text: str, kinds: set[str]) -> None:
        """Take note of a line and the kinds of what was found in it."""
        self.head = self.head and kinds <= HEAD_KINDS
        self.titled = self.titled or "title" in kinds
        self.ended = self.ended or bool(END.fullmatch(text))
        self.speaking = "cue" in kinds or (self.speaking and not kinds & {"heading", "marker"})


def has_few_scenes(blocks: Sequence[Block]) -> bool:
    """Tell whether the page hardly uses the word that most pages open a scene with."""
    return sum(bool(SCENE.match(block.text)) for block in blocks) < FEW_SCENES


def brackets_places(blocks: Sequence[Block]) -> bool:
    """Tell whether lines in square brackets name the places of scenes: short, recurring, and unlike the directions.

    Directions stand in other brackets, or the places are bold, or one comes before anybody speaks.
    """
    square = [block for block in blocks if block.text.lstrip()[0] == "[" and is_wrapped(block.text)]
    places = [block for block in square if is_place(block.text)]
    unlike = (
        any(block.text.lstrip()[0] == "(" and is_wrapped(block.text) for block in blocks)
        or all(run.bold for block in places for run in block.runs if run.text.strip())
        or any(block in places for block in blocks[:4])
    )
    return len(places) > 1 and 5 * len(places) >= 4 * len(square) and unlike


def is_place(text: str) -> bool:
    """Tell whether a short text in square brackets may be a place: "[Crusher's office]"."""
    inner = text.strip(" \xa0*[].")
    short = len(inner) <= 60 and len(inner.split()) <= 8
    return short and inner[:1].isupper() and not NOISE.match(inner) and not SPEECH_LIKE.search(inner)


def start_of_foot(blocks: Sequence[Block], habits: Habits) -> int:
    """Return where the last lines of a page begin that are no script: credits, navigation, addresses."""
    start = len(blocks)
    navigation = wording(habits.show).navigation

    def is_foot(text: str) -> bool:
        return bool(BYLINE.match(text) or FOOT.match(text) or ADDRESS.search(text) or navigation.fullmatch(text))

    while start and is_foot(text := " ".join(blocks[start - 1].text.split())) and not EXCLAIMED.search(text):
        start -= 1
    return start


def holds_no_first_cue(text: str, heading: bool, head: bool, habits: Habits) -> bool:
    """Tell whether a line may begin like a label but does not: "Written by: …", "Scene: …", "Note: …"."""
    return bool(
        heading
        or (head and (CREDIT.match(text) or TITLE_LINE.match(text) or wording(habits.show).title.match(text)))
        or BYLINE.match(text)
        or NOTE.match(text)
        or SCENE.match(text)
        or wording(habits.show).bare_transition.fullmatch(text)
        or (TRANSITION.match(text) and is_wrapped(text))
        or MARKER.fullmatch(text)
    )


def kind_of_line(line: Block, position: Place, habits: Habits) -> str:
    """Return the kind of a whole line without a label; "speech" for one that goes on with speech before it."""
    text = " ".join(line.text.split())
    bold = all(run.bold or not run.text.strip() for run in line.runs)
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
    elif (position.head or position.ended or BYLINE.match(text)) and CREDIT.match(text) and not words.title.match(text):
        kind = "credit"
    elif not position.head and PART.fullmatch(text):
        kind = "marker"
    elif SCENE_INSIDE.search(text):
        kind = "speech"  # what is in its brackets is cut out of it
    elif SLUG.match(text) and (line.paragraph or text.isupper()):
        kind = "heading"
    elif line.heading and not (wrapped and bracket == "("):
        kind = "title" if position.head and not wrapped else "heading"
    elif (position.head or position.ended) and len(text) < 200 and words.navigation.fullmatch(text):
        kind = "dropped:navigation"
    elif (TRANSITION.match(text) and wrapped) or (line.paragraph and is_bare_transition(text, habits)):
        kind = "transition"
    elif (look := kind_of_look(line.look, habits)) and (
        not wrapped or look == "direction" or (position.few_scenes and is_place(text))
    ):
        kind = look
    elif wrapped:
        named = position.few_scenes and (
            (words.place.fullmatch(text) and (bold or bracket == "["))
            or (position.bracketed and bracket == "[" and is_place(text))
        )
        kind = "heading" if named else "direction"
    elif position.ended and not position.speaking:
        kind = "dropped:navigation"
    elif line.paragraph and DISCLAIMER.match(text):
        kind = "note"
    elif STARRED.fullmatch(text):
        kind = "direction"
    elif position.head and (words.title.match(text) or TITLE_LINE.match(text)):
        kind = "title"
    elif position.head and not (bold and position.titled):
        kind = "title" if bold else "note"
    elif (line.paragraph or bold) and CAPTION.fullmatch(text):
        kind = "caption"
    elif line.paragraph and not (position.speaking and SPEECH_LIKE.search(NARRATED.sub("", text))):
        actor = PROSE_DIRECTION.match(text)
        if (actor and habits.has(actor[1])) or first_unopened_closer(text) == len(text) - 1:
            kind = "direction"
        elif position.few_scenes and words.bare_place.fullmatch(text):
            kind = "heading"
        elif (bold and len(text) < 60 and ":" not in text) or text.startswith(">>>"):
            kind = "caption"
    return kind


def kind_of_look(look: str, habits: Habits) -> str:
    """Return the kind of a line by what marks it from end to end; "" where that says nothing."""
    if not look or look in habits.spoken_looks or (BARE_LOOK.search(look) and not habits.marked.has_styles):
        return ""
    return "heading" if SCENE_LOOK.search(look) else "direction" if ACTION_LOOK.search(look) else ""


def is_bare_transition(text: str, habits: Habits) -> bool:
    """Tell whether a line is a transition without brackets: "CUT TO: a park", "Flashback, ten years ago."."""
    words = wording(habits.show)
    return bool(words.bare_transition.fullmatch(text) or (BARE_TRANSITION.match(text) and not SPEECH_LIKE.search(text)))


def kind_of_bracket(text: str) -> str:
    """Return the kind of a bracket that stands inside a line."""
    if not any(char.isalnum() for char in text):
        return "punctuation"  # "()", "(...)"
    if SCENE.match(text):
        return "heading"
    if NOTE.match(text):
        return "note"
    return "transition" if text[0] == "[" and TRANSITION.match(text) else "direction"


def is_wrapped(text: str) -> bool:
    """Tell whether a line is one bracket from end to end, closed or not.

    >>> is_wrapped("(Ross enters.)"), is_wrapped("[Ross enters"), is_wrapped("(sits) Hi."), is_wrapped("...")
    (True, True, False, False)
    """
    stripped = text.strip(" \xa0*.")
    return bool(stripped) and stripped[0] in OPENERS and match_brackets(stripped).get(0, 0) == len(stripped)


def opens_over_the_end(text: str) -> bool:
    """Tell whether the last bracket of a line is not closed in it: "Hi. (He walks to the"."""
    if not OPENER.search(text) or text.rstrip()[-1:] in CLOSERS:
        return False
    spans = match_brackets(text, goes_on=True)
    return bool(spans) and spans[max(spans)] == len(text)
