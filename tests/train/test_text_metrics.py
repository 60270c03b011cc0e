"""The metrics of the comparison, on texts made by hand."""

from __future__ import annotations

import pytest

from train.comparison import text_metrics as count
from train.generation.turns import cue, may_become_cue, turns


@pytest.mark.parametrize(
    ("text", "names"),
    [
        pytest.param("", "", id="nothing"),
        pytest.param("Hey, how are you?", "", id="prose"),
        # people of the show
        pytest.param("Joey: Hey!", "Joey", id="one"),
        pytest.param("Joey: Hey!\nROSS: What?\n\nJoey: Nothing.", "Joey ROSS Joey", id="scene"),
        pytest.param("Sure!\nJoey: Hey!", "Joey", id="later"),
        pytest.param("Joey: Hey how are you", "Joey", id="no-point"),
        pytest.param("Hi.\nRoss: So do you", "Ross", id="short"),
        pytest.param("Ross: Oh my god", "Ross", id="small-words"),
        pytest.param("Rachel: Joey Tribbiani Is Here", "Rachel", id="in-capitals"),
        pytest.param("Joey: Oh My God!", "Joey", id="in-capitals-with-a-mark"),
        pytest.param("Joey: 5 bucks?\nRoss: 1994 was a good year.", "Joey Ross", id="numbers"),
        pytest.param("Chandler: ...", "Chandler", id="silence"),
        pytest.param("Joey (to Ross): Hey!\nRoss [on the phone]: What?", "Joey Ross", id="with-direction"),
        pytest.param("JOEY : Hey!\nRoss (laughing) : What?", "JOEY Ross", id="space-before-the-colon"),
        pytest.param("(laughing) Joey: Hey!", "", id="behind-a-direction"),
        pytest.param("**Joey:** Hey!\n**Ross**: What?\n### Joey: Hm.", "Joey Ross Joey", id="bold"),
        pytest.param('"Joey: Hey!"\n> Ross: What?', "Joey Ross", id="quoted"),
        pytest.param("Chandler and Joey: No!", "Chandler Joey", id="together"),
        pytest.param("Monica, Ross & Rachel: No!", "Monica Ross Rachel", id="three-together"),
        pytest.param("Chandler, Joey, and Ross: No!", "Chandler Joey Ross", id="three-with-a-comma"),
        pytest.param("User: What?\nAssistant: Nothing.", "User Assistant", id="roles"),
        # whom the prompt names
        pytest.param("Ben: thanks for asking", "Ben", id="the-user"),
        pytest.param("Finch: Ship ahead.\nCAPTAIN: Ship ahead.", "Finch CAPTAIN", id="the-one-who-is-played"),
        # others, beside one of them
        pytest.param("Joey: Hey!\nGunther: Coffee is ready.", "Joey Gunther", id="unknown-beside-known"),
        pytest.param("Joey: Hey!\nPassenger #1: Tea.\nStudent 2: Milk.", "Joey Passenger_#1 Student_2", id="numbered"),
        pytest.param("Mrs. Geller: Jam.\nDr. O’Brien: Tea.\nJean-Luc: Milk.\nRoss: Hm.", "Mrs._Geller Dr._O’Brien Jean-Luc Ross", id="titles"),
        pytest.param("Joey: Hey!\nNote: he is hungry.\nTranslation: hello.", "Joey", id="labels-beside-known"),
        # others, among themselves
        pytest.param("Alejon: Ah, ela!\nAlejon: Ela!", "Alejon Alejon", id="twice"),
        pytest.param("Zoë: Hé!\nÉmile: Ça va?\nZoë: Bien.", "Zoë Émile Zoë", id="non-ascii"),
        pytest.param("Bride: I do.\nGroom: Me too.", "Bride Groom", id="first-person"),
        pytest.param("Max: I'm scared of mice!", "Max", id="first-person-alone"),
        pytest.param("Specter: Buonami! That's a fantastic choice, and I'm happy to help.", "Specter", id="first-person-later"),
        pytest.param("Clerk: What do you want?\nMan: A stamp.", "Clerk Man", id="question-to-somebody"),
        pytest.param("Dragon: Well, somebody took the gold.\nMouse: Yes!", "Dragon Mouse", id="spoken-words"),
        pytest.param("A: Why?\nB: Because I say so.\nPerson A: Oh.", "A B Person_A", id="letters-as-people"),
        pytest.param("Interviewer: Why us?\nCandidate: I like stamps.", "Interviewer Candidate", id="interview"),
        pytest.param("Waiter: Your soup.\nGuest: There is a fly in it.", "", id="WRONG-nothing-tells"),
        pytest.param("Joey: an actor\nRoss: a scientist", "Joey Ross", id="WRONG-descriptions"),
        # plain text, quoted speech
        pytest.param("Joey: ", "", id="nothing-said"),
        pytest.param("Joey:\nHey!", "", id="heading"),
        pytest.param("joey: hey", "", id="small-letters"),
        pytest.param("Hey, Joey: what?", "", id="address"),
        pytest.param("I told him: no.\nThe thing is: no.", "", id="colon-in-a-sentence"),
        pytest.param("Joey said: “I know!”", "", id="quoted-speech"),
        pytest.param("Once there was a dragon named Max: I feared him.", "", id="story"),
        pytest.param("Meet me at 10:30.\nhttps://example.org is a page", "", id="time-and-link"),
        # lists and Markdown
        pytest.param("- Food: grass\n* Home: Peru\n1. Wool: soft\n2) Height: a metre\n• Sound: hum", "", id="list"),
        pytest.param("1. **Food**: grass\n- **Home:** Peru", "", id="bold-list"),
        pytest.param("- Joey: loves food\n- Ross: loves fossils", "", id="list-of-people"),
        pytest.param("**Overview**: Bees collect nectar.\n**Background:** They live in hives.", "", id="bold-headings"),
        pytest.param("### Step 1: Boil water.\n### Step 2: Do you see bubbles?", "", id="steps"),
        pytest.param("Step One: boil water\nDay One: rest\nRule #1: smile.", "", id="numbers-as-words"),
        pytest.param("Advantages: They are fast.\nDisadvantages: They are loud.", "", id="advantages"),
        pytest.param("Note: I am no doctor.\nP.S.: nor are you?\nFun fact: me neither.", "", id="spoken-labels"),
        pytest.param("Sure: why not\nNo: I won't.\nHmm: let me see.", "", id="words-of-an-answer"),
        # recipes
        pytest.param("Flour: 2 cups\nSugar: 1 cup", "", id="quantities"),
        pytest.param("Preparation: Mix everything.\nEquipment: A bowl.\nTools: A spoon.", "", id="recipe"),
        pytest.param("Ingredients: Eggs.\nInstructions: Beat them until you like it.", "", id="instructions"),
        pytest.param("Breakfast: Eggs and toast.\nLunch: Soup.\nDinner: Rice.", "", id="meals"),
        # letters
        pytest.param("Subject: I need help\nTo: the landlord\nDear Landlord: I am cold.", "", id="letter"),
        pytest.param("Contact: info@example.org\nPhone: (555) 123-4567\nWebsite: https://example.org\nEmail: joe@x.org", "", id="contact"),
        # translations and rewritings
        pytest.param("French: La bibliothèque est fermée.\nEnglish: The library is closed.", "", id="translation"),
        pytest.param("English: I am hungry.\nFrench: J'ai faim.", "", id="translation-in-the-first-person"),
        pytest.param("Original: I ain't sure.\nRevised: I am not sure.", "", id="rewritten"),
        # definitions and comparisons
        pytest.param("Definition: a list can be changed.\nPhotosynthesis: How plants make food.", "", id="definitions"),
        pytest.param("List: mutable.\nTuple: immutable.", "", id="comparison"),
        pytest.param("Trains: They are slow.\nPlanes: They are fast.", "", id="comparison-in-sentences"),
        pytest.param("Causes: World War I began in 1914.", "", id="a-number-that-looks-like-I"),
        # itineraries and plans
        pytest.param("Morning: Visit the planetarium.\nAfternoon: See dinosaurs.", "", id="itinerary"),
        pytest.param("Clothing: Warm jackets and boots.\nIncome: Write it down.\nBudget: Write down your income.", "", id="plan"),
        pytest.param("Monday: rest\nPros: none\nHaiku: leaves fall", "", id="days"),
        # headlines and titles
        pytest.param("A Lost Raptor: A Hero in Need of a Buck", "", id="headline"),
        pytest.param("Prelude: Lost in the act of chasing a big Buck!", "", id="headline-with-a-mark"),
        pytest.param("Breaking News: Parrot Found Alive.\nHeadline: Lost parrot found safe", "", id="news"),
        pytest.param("Autumn Leaves: a haiku about loss.", "", id="title"),
        # questions and answers
        pytest.param("Q: Can I eat it?\nA: Yes, you can.", "", id="question-and-answer"),
        pytest.param("A: Paris\nB: London", "", id="choices"),
        pytest.param("Question: Who are you?\nAnswer: I am nobody.", "", id="question-in-words"),
    ],
)  # fmt: skip
def test_turns(text: str, names: str) -> None:
    assert turns(text, ["Captain Finch", "Ben"]) == [name.replace("_", " ") for name in names.split()]
    assert count.script(text, "Captain Finch", "Ben") == float(bool(names))


@pytest.mark.parametrize(
    "text",
    [
        "Joey: Hey!",
        "**Chandler and Joey** (together): No!",
        "Passenger #1: Hm?",
        "Monica, Ross: Hi!",
        "Mrs. O’Hara:",
        "Ross (laughing) : Hm?",
    ],
)
def test_a_cue_may_become_one_at_every_letter(text: str) -> None:
    found = cue(text)
    assert found
    whole = text.index(":") + 1
    assert found[1] in (whole, whole + 2)
    assert all(may_become_cue(text[:end]) for end in range(whole))


SCENE = "Friend: Well.\nBen: Well what?\nRoss: Hey!\nROSS: Hm?\nMonica: Hey!\nUser: Stop."


@pytest.mark.parametrize(
    ("plays", "user", "speakers", "turns", "for_the_user"),
    [
        pytest.param("Friend", "Ben", 2, 3, 2, id="both-known"),
        pytest.param("friend", "BEN", 2, 3, 2, id="capitals-do-not-matter"),
        pytest.param(None, None, 4, 5, 1, id="nobody-known"),
        pytest.param("Ross", "Ben", 2, 2, 2, id="plays-ross"),
        pytest.param("Ross Geller", "Ben Oakes", 2, 2, 2, id="whole-names"),
    ],
)
def test_other_people(plays: str | None, user: str | None, speakers: int, turns: int, for_the_user: int) -> None:
    assert count.other_speakers(SCENE, plays, user) == speakers
    assert count.other_turns(SCENE, plays, user) == turns
    assert count.user_turns(SCENE, user) == for_the_user


def test_the_cast_is_that_of_the_show() -> None:
    assert count.script("Finch: Bees make honey.", None, None, ["Ada", "Finch"]) == 1
    assert count.script("Finch: Bees make honey.", None, None) == 0
    assert count.script("Ross: an actor", None, None, ["Ada", "Finch"]) == 0


def test_two_names_of_one_person() -> None:
    assert count.other_speakers("Ross Geller: Hey!\nRoss: Hm?\nJoey: Hey!", None, None) == 2


@pytest.mark.parametrize("name", ["Assistant", "AI", "Chatbot", "Captain", "Finch"])
def test_the_assistant_by_another_name_is_nobody_else(name: str) -> None:
    assert count.other_turns(f"{name}: Aye.", "Captain Finch", None) == 0
    assert count.script(f"{name}: Aye.", "Captain Finch", None) == 1


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("(sighs) Fine.", True, id="first"),
        pytest.param("Fine. (sighs)", True, id="after-a-sentence"),
        pytest.param("Joey: (sighs) Fine.", True, id="after-a-cue"),
        pytest.param("Joey (to Ross): Fine.", True, id="in-a-cue"),
        pytest.param("Oh no…\n[Scene: a kitchen]", True, id="scene"),
        pytest.param("*waves* Hi!", True, id="stars"),
        pytest.param("Hi! *waves and smiles*", True, id="stars-after-a-sentence"),
        pytest.param("“Hi!” (waves)", True, id="after-a-quote"),
        pytest.param("(A while later, the door is open)", True, id="begins-with-an-article"),
        pytest.param("Fine. (She reaches for a handbag on", True, id="cut-off"),
        pytest.param("((laughs) Fine.", True, id="bracket-twice"),
        pytest.param("Hi...(laughs)", True, id="no-space"),
        pytest.param("_sighs_ Fine.", True, id="underscores"),
        pytest.param("**sighs** Fine.", True, id="two-stars"),
        pytest.param("*Joey walks in*", True, id="stars-around-a-sentence"),
        pytest.param("*to Ross* Fine.", True, id="stars-around-an-address"),
        pytest.param("(He (Joey) leaves.)", True, id="bracket-in-a-bracket"),
        pytest.param("Joey: Hey! (He takes the sandwich and\nruns off)", True, id="over-a-line-break"),
        pytest.param("[Ross enters, laughing]", True, id="square"),
        pytest.param("[on the phone] Hello?", True, id="square-without-a-verb"),
        pytest.param("", False, id="nothing"),
        pytest.param("Alpacas, (Vicugna pacos), hum.", False, id="aside-between-commas"),
        pytest.param("(i) mix\n(ii) stir\n(iv) bake", False, id="numbers-of-a-list"),
        pytest.param("*Note:* Alpacas hum.", False, id="slanted-label"),
        pytest.param("*Disclaimer: I am an AI.*", False, id="slanted-sentence"),
        pytest.param("*The Tempest*, *Hamlet* and more.", False, id="slanted-titles"),
        pytest.param("*Hamlet*\n*To Kill a Mockingbird*", False, id="list-of-slanted-titles"),
        pytest.param("Animals:\n*alpacas*, *llamas*", False, id="list-of-slanted-words"),
        pytest.param("Best,\n[Tenant]", False, id="signature"),
        pytest.param("[City, State ZIP]\n[Landlord]\nDear [Recipient],", False, id="address"),
        pytest.param("[Tenant's signature]", False, id="genitive"),
        pytest.param("snake_case_names and __init__", False, id="code"),
        pytest.param("Alpacas (Vicugna pacos) hum.", False, id="aside-in-a-sentence"),
        pytest.param("They are **very** soft.", False, id="bold"),
        pytest.param("**Food**: grass", False, id="bold-first"),
        pytest.param("* Food\n* Home", False, id="list"),
        pytest.param("It was founded. (1994) It grew.", False, id="year"),
        pytest.param("See it here: [page](https://example.org)", False, id="link"),
        pytest.param("Dear Sir,\n[Your name]", False, id="placeholder"),
        pytest.param("[your name]", False, id="placeholder-in-small-letters"),
        pytest.param("[Date]\n[Company Name]\n[Sender's Name]", False, id="placeholders"),
        pytest.param("(b) Water it.", False, id="letter-of-a-list"),
        pytest.param("*Ross*: hi", False, id="slanted-cue"),
        pytest.param("They hum. *Alpacas* do not.", False, id="slanted-word"),
        pytest.param("2 * 3 * 4", False, id="product"),
        pytest.param("Fine. ()", False, id="empty"),
    ],
)
def test_directions(text: str, found: bool) -> None:
    assert count.directions(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [("Hey!", 1), ("heyyy, you", 1), ("HEY", 1), ("They obey", 0), ("Hello", 0), ("", 0), ("Hey", 1), ("wheyface", 0)],
)
def test_hey(text: str, found: int) -> None:
    assert count.hey(text) == found


@pytest.mark.parametrize(
    ("text", "one", "two", "repeated"),
    [
        pytest.param("", None, None, None, id="nothing"),
        pytest.param("Oh.", 1.0, None, None, id="one-word"),
        pytest.param("Oh. OH!", 0.5, 1.0, None, id="capitals-and-points-do-not-matter"),
        pytest.param("a b c d", 1.0, 1.0, 0.0, id="all-different"),
        pytest.param("a b c d a b c d", 0.5, 4 / 7, 0.2, id="twice"),
        pytest.param("no " * 40, 1 / 40, 1 / 39, 1 - 1 / 37, id="stuck"),
        pytest.param("don’t don't", 0.5, 1.0, None, id="apostrophes"),
        pytest.param("日本 日本 ελ ελ", 0.5, 1.0, 0.0, id="other-letters"),
    ],
)
def test_variety(text: str, one: float | None, two: float | None, repeated: float | None) -> None:
    assert count.distinct(text, 1) == one
    assert count.distinct(text, 2) == two
    assert count.repetition(text) == (repeated if repeated is None else pytest.approx(repeated))


@pytest.mark.parametrize(
    ("asked", "text", "share"),
    [
        pytest.param("Tell me about alpacas.", "The alpaca is a small camel.", 1.0, id="other-form"),
        pytest.param("Tell me about alpacas.", "Ross: Hey!", 0.0, id="banter"),
        pytest.param("How do bees make honey?", "A bee visits flowers.", 0.5, id="half"),
        pytest.param("Who are you?", "I am a friend.", None, id="no-content-word"),
        pytest.param("Why do we have leap years?", "", 0.0, id="no-answer"),
        pytest.param("What's the sea's colour?", "The sea is blue.", 0.5, id="genitive"),
        pytest.param("Tell me about it, and about the.", "it", None, id="stop-words-only"),
        pytest.param("ALPACAS!", "alpacas", 1.0, id="capitals"),
    ],
)
def test_overlap(asked: str, text: str, share: float | None) -> None:
    assert count.overlap(text, asked) == share


@pytest.mark.timeout(60)  # seconds on any machine; grown without bounds it is hours
def test_a_hostile_answer_takes_no_time() -> None:
    """Patterns with nested choices grow without bounds on the wrong text; these are the ones that could."""
    for text in (
        "A" * 5000,
        "A " * 5000,
        "(a" * 5000,
        "*a" * 5000,
        "A and " * 3000,
        "*" * 5000,
        "A-" * 5000 + ":",
        "Gus: " + "you " * 5000,
        "Gus: " + "a-" * 5000,
    ):
        turns(text)
        may_become_cue(text)
        count.directions(text)
        count.overlap(text, text)
