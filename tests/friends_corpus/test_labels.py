"""Edge cases of cues as table rows: a line of a page → who says what. A bug becomes a row here, then the fix."""

import pytest

from friends_corpus.parsing.normalise import normalise
from friends_corpus.parsing.script import read_script


def said(html: str, name: str = "0101.html") -> list[tuple[str, str]]:
    """(speakers, text) of every turn of a page that holds `html` under a scene heading; "" for a wordless turn."""
    page = f"<h1>The One With The Test</h1><p>[Scene: A park.]</p>{html}"
    _, episode = read_script(name, page.encode())
    return [(" + ".join(line.speakers), line.text) for line in normalise(episode).utterances()]


CUES = [
    # bold labels
    pytest.param("<p><b>Joey:</b> Hi.</p>", [("Joey", "Hi.")], id="bold, colon inside"),
    pytest.param("<p><b>Joey</b>: Hi.</p>", [("Joey", "Hi.")], id="bold, colon outside"),
    pytest.param("<p><strong>Joey:</strong> Hi.</p>", [("Joey", "Hi.")], id="strong"),
    pytest.param("<P><STRONG>Joey</STRONG>: Hi.</P>", [("Joey", "Hi.")], id="upper-case tags"),
    pytest.param('<p><b class="x">Joey:</b> Hi.</p>', [("Joey", "Hi.")], id="bold with an attribute"),
    pytest.param("<p><b>Joey:</b>: Hi.</p>", [("Joey", "Hi.")], id="doubled colon"),
    pytest.param("<p><b>Joey</b> : Hi.</p>", [("Joey", "Hi.")], id="blank before the colon"),
    pytest.param("<p><b>Joey:Hi.</b></p>", [("Joey", "Hi.")], id="bold line, no blank after the colon"),
    pytest.param("<p><b>Joey.</b> Well, hi.</p>", [("Joey", "Well, hi.")], id="full stop for the colon"),
    pytest.param("<p><b>Joey;</b> Well, hi.</p>", [("Joey", "Well, hi.")], id="semicolon for the colon"),
    pytest.param("<p><b>Joey</b> Well, hi.</p>", [("Joey", "Well, hi.")], id="no colon at all"),
    pytest.param("<p><b><b>All:</b></b> Hi.</p>", [("All", "Hi.")], id="nested bold"),
    pytest.param("<p><b>Ro</b><b>ss:</b> Hi.</p>", [("Ross", "Hi.")], id="split bold"),
    pytest.param("<p><b>Joey and</b> <b>Ross:</b> Hi.</p>", [("Joey + Ross", "Hi.")], id="split bold list"),
    pytest.param("<p><b>Joey</b> and Ross: Hi.</p>", [("Joey + Ross", "Hi.")], id="half-bold list"),
    pytest.param("<b>\n<p>Joey</b>: Hi.</p><b>\n<p>Ross:</b> Yo.</p>", [("Joey", "Hi."), ("Ross", "Yo.")], id="<b><p>"),
    pytest.param("<p><b>Joey: Hi.<p>Ross: Yo.", [("Joey", "Hi."), ("Ross", "Yo.")], id="bold never closed"),
    pytest.param("<p><b>Mrs. Abernathy:</b> Hi.</p>", [("Mrs. Abernathy", "Hi.")], id="unknown name in bold"),
    pytest.param("<p><b>Man #2 in line:</b> Hi.</p>", [("Man #2 In Line", "Hi.")], id="numbered extra"),
    pytest.param("<p>&nbsp;&nbsp;<b>Joey:</b>&nbsp;Hi.</p>", [("Joey", "Hi.")], id="nbsp around"),
    pytest.param("<p>- <b>Joey:</b> Hi.</p>", [("Joey", "Hi.")], id="dash before the label"),
    pytest.param("<p><i><b>Joey:</b></i> Hi.</p>", [("Joey", "Hi.")], id="italics around"),
    pytest.param("<p><b>Jo<!-- x -->ey:</b> Hi.</p>", [("Joey", "Hi.")], id="comment inside"),
    # plain labels
    pytest.param("JOEY: Hi.<br>ROSS: Yo.", [("Joey", "Hi."), ("Ross", "Yo.")], id="plain capitals, <br>"),
    pytest.param("<p>Joey: Hi.</p>", [("Joey", "Hi.")], id="plain known name"),
    pytest.param("<p>RACH: Hi.<br>MNCA: Hi.<br>CHAN: Hi.<br>PHOE: Hi.</p>",
                 [("Rachel", "Hi."), ("Monica", "Hi."), ("Chandler", "Hi."), ("Phoebe", "Hi.")], id="abbreviations"),
    pytest.param("FBOB: Hi.", [("Fun Bobby", "Hi.")], id="FBOB"),
    pytest.param("<p>TV announcer: And now this.</p>", [("TV Announcer", "And now this.")], id="plain role"),
    pytest.param("<p><b>Ross:</b> Woo hoo!<br>TV announcer: And now this.</p>",
                 [("Ross", "Woo hoo!"), ("TV Announcer", "And now this.")], id="plain role after <br>"),
    pytest.param("<p>(MACHINE--JOEY'S VOICE): Beep.</p>", [("Joey", "Beep.")], id="label in brackets"),
    pytest.param("<p>- (MACHINE--JOEY'S VOICE): Beep.</p>", [("Joey", "Beep.")], id="label in brackets after a dash"),
    pytest.param("<p><b>Psychic:</b> Hi.</p><p><b>Joey:</b> Hi. <b>Psychic:</b> Yo.</p>",
                 [("Psychic", "Hi."), ("Joey", "Hi."), ("Psychic", "Yo.")], id="a name that begins like P.S."),
    pytest.param("<pre>Joey: Hi.\n<a href=x>Ross</a>: Yo.\r<img>Joey: No.</pre>",
                 [("Joey", "Hi."), ("Ross", "Yo."), ("Joey", "No.")], id="<pre>, line ends in front of tags"),
    pytest.param("<p><b>Mr. Geller:</b> Hi.</p><p><b>Joey:</b> Hi. Mr. Geller: Yo.</p>",
                 [("Mr. Geller", "Hi."), ("Joey", "Hi."), ("Mr. Geller", "Yo.")], id="two words inside a line"),
    pytest.param("<p><b>Ross:</b> Hi- Joey: Yo.Ross: Hi. Joey (sits): Yo. Joey and Monica: Bye.</p>",
                 [("Ross", "Hi-"), ("Joey", "Yo."), ("Ross", "Hi."), ("Joey", "Yo."), ("Joey + Monica", "Bye.")],
                 id="inside a line: after a dash or no blank, with a direction, a list"),
    pytest.param("<p>JO LYNN: Hi.</p>", [("Jo Lynn", "Hi.")], id="two-word capitals, known"),
    # several speakers
    pytest.param("<p><b>Joey and Ross:</b> Hi.</p>", [("Joey + Ross", "Hi.")], id="and"),
    pytest.param("<p><b>Joey & Ross:</b> Hi.</p>", [("Joey + Ross", "Hi.")], id="bare ampersand"),
    pytest.param("<p><b>Joey, Ross, and Phoebe:</b> Hi.</p>", [("Joey + Ross + Phoebe", "Hi.")], id="comma list"),
    pytest.param("<p><b>Rachel/Phoebe:</b> Hi.</p>", [("Rachel + Phoebe", "Hi.")], id="slash"),
    pytest.param("<p>PHOE/MNCA: Hi.</p>", [("Phoebe + Monica", "Hi.")], id="slash, abbreviations"),
    pytest.param("<p><b>Mr. and Mrs. Geller:</b> Hi.</p>", [("Mr. Geller + Mrs. Geller", "Hi.")], id="couple"),
    pytest.param("<p><b>Mr. & Mrs. Geller</b>; Hi.</p>", [("Mr. Geller + Mrs. Geller", "Hi.")], id="couple, no colon"),
    pytest.param("<p><b>Mr.Geller:</b> Hi.</p>", [("Mr. Geller", "Hi.")], id="no blank after the dot"),
    pytest.param("<p><b>Mrs.&nbsp;Geller:</b> Hi.</p>", [("Mrs. Geller", "Hi.")], id="nbsp in the label"),
    pytest.param("<p><b>Monica, Joey, and Ross</b> Hi.</p>", [("Monica + Joey + Ross", "Hi.")], id="list without a colon"),
    pytest.param("<p><b>Phoebe/Waitress:</b> Hi.</p>", [("Phoebe", "Hi.")], id="person in a part"),
    pytest.param("<p><b>All:</b> Hi.</p><p><b>Everybody:</b> Hi.</p><p><b>Everyone:</b> Hi.</p>",
                 [("All", "Hi."), ("All", "Hi."), ("All", "Hi.")], id="everybody"),
    pytest.param("<p><b>Ross and Mrs. Abernathy:</b> Hi.</p>", [("Ross + Mrs. Abernathy", "Hi.")], id="known + unknown"),
    # directions in the label
    pytest.param("<p><b>Joey (to Ross):</b> Hi.</p>", [("Joey", "Hi.")], id="direction before the colon"),
    pytest.param("<p><b>Joey</b> (to Ross): Hi.</p>", [("Joey", "Hi.")], id="direction outside the bold"),
    pytest.param("<p><b>Joey</b> (to Ross)<b>:</b> Hi.</p>", [("Joey", "Hi.")], id="bold colon apart"),
    pytest.param("<p><b>Joey [to Ross]:</b> Hi.</p>", [("Joey", "Hi.")], id="square direction before the colon"),
    pytest.param("<p><b>Joey (on phone: upset):</b> Hi.</p>", [("Joey", "Hi.")], id="colon inside the direction"),
    pytest.param("<p>Joey raises his hand: Me.</p>", [("Joey", "Me.")], id="label as prose"),
    pytest.param("<p>Amy and Rachel at same time: Sorry.</p>", [("Amy + Rachel", "Sorry.")], id="prose, two people"),
    pytest.param("<p>Rachel to Emma: Oh, Emma.</p>", [("Rachel", "Oh, Emma.")], id="to somebody"),
    pytest.param("<p>Ross to <b>Monica:</b> Hi.</p>", [("Ross", "Hi.")], id="only the addressee bold"),
    # aliases
    pytest.param("<p><b>Racel:</b> Hi.</p>", [("Rachel", "Hi.")], id="misspelt"),
    pytest.param("<p><b>Fat Monica:</b> Hi.</p>", [("Monica", "Hi.")], id="alter ego"),
    pytest.param("<p><b>Fake Monica:</b> Hi.</p>", [("Fake Monica", "Hi.")], id="somebody else"),
    pytest.param("<p><b>MRS. GREENE:</b> Hi.</p>", [("Mrs. Green", "Hi.")], id="one display name for a person"),
    # colons that are not cues
    pytest.param("<p><b>Joey:</b> Rule one: never run.</p>", [("Joey", "Rule one: never run.")], id="colon in speech"),
    pytest.param("<p><b>Joey:</b> At 8:30?</p>", [("Joey", "At 8:30?")], id="time of day"),
    pytest.param("<p><b>Joey:</b> Sing!<br>8:30 is late, baby.</p>", [("Joey", "Sing! 8:30 is late, baby.")], id="time first"),
    pytest.param("<p><b>Joey:</b> It says<br>Dear Sir: go away.</p>", [("Joey", "It says Dear Sir: go away.")], id="letter"),
    pytest.param("<p><b>Joey:</b> So I said to Ross: no.</p>", [("Joey", "So I said to Ross: no.")], id="name in speech"),
    pytest.param("<p><b>Joey:</b> I have a plan<br>but you know: no.</p>", [("Joey", "I have a plan but you know: no.")],
                 id="colon in a continuation"),
    pytest.param("<p><b>Joey:</b> Look.</p><p><b>Question:</b> why?</p>", [("Joey", "Look. Question: why?")], id="bold topic"),
    pytest.param("<p><b>Joey:</b> Look.</p><p><b>Here's the thing: no.</b></p>", [("Joey", "Look. Here's the thing: no.")], id="bold sentence"),
    pytest.param("<p><b>Joey:</b> Look.</p><p>Ross said: no way.</p>", [("Joey", "Look. Ross said: no way.")], id="reported speech"),
    pytest.param("JOEY: Hi.<br>ROSS: Yo.<br>JOEY: A.<br>ROSS: B.<br>JOEY: C.<br>WARNING SIGN: wet.",
                 [("Joey", "Hi."), ("Ross", "Yo."), ("Joey", "A."), ("Ross", "B."), ("Joey", "C. WARNING SIGN: wet.")], id="capitals in a continuation"),
    pytest.param("JOEY: Hi.<br>ROSS: Yo.<br>JOEY: A.<br>ROSS: B.<br>JOEY: C.<br>MARIE: D.",
                 [("Joey", "Hi."), ("Ross", "Yo."), ("Joey", "A."), ("Ross", "B."), ("Joey", "C."), ("Marie", "D.")], id="capitals on a page of <br>"),
    pytest.param("<p>JOEY: Hi.<p>ROSS: Yo.<p>JOEY: A.<p>ROSS: B.<p>JOEY: C.<br>WET SIGN: D.",
                 [("Joey", "Hi."), ("Ross", "Yo."), ("Joey", "A."), ("Ross", "B."), ("Joey", "C. WET SIGN: D.")], id="capitals after a <br>"),
    pytest.param("<p><b>Joey:</b> Look.</p><p>Question: why?</p>", [("Joey", "Look. Question: why?")], id="topic word"),
    # several turns in one line
    pytest.param("<p><b>Joey:</b> Hi. <b>Ross:</b> Yo.</p>", [("Joey", "Hi."), ("Ross", "Yo.")], id="bold label inside"),
    pytest.param("<p><b>Ross:</b> Oh?</p><p><b>Joey:</b> Hi. Ross: Yo.</p>",
                 [("Ross", "Oh?"), ("Joey", "Hi."), ("Ross", "Yo.")], id="plain label inside, of the cast"),
    pytest.param("<p><b>Joey:</b> I made a list. Message: call.</p>", [("Joey", "I made a list. Message: call.")],
                 id="plain word inside, not of the cast"),
    pytest.param("<p><b>Joey:</b> Sorry. <b>Man #2:</b> Yo.</p>", [("Joey", "Sorry."), ("Man #2", "Yo.")], id="bold part inside"),
    pytest.param("<p><b>Joey:</b> Hi. <b>OK:</b> so.</p>", [("Joey", "Hi. OK: so.")], id="bold stress inside"),
    pytest.param("<p><b>Joey:</b> Yes! <b>Rule 1:</b> eggs.</p>", [("Joey", "Yes! Rule 1: eggs.")], id="bold number inside"),
    pytest.param("<p><b>Ross:</b> Oh?</p><p><b>Joey:</b> It says &#147;Call home. Ross: dinner.&#148;</p>",
                 [("Ross", "Oh?"), ("Joey", 'It says "Call home. Ross: dinner."')], id="label inside a quotation"),
    pytest.param('<p><b>Joey:</b> It says</p><p>"Woman: eggs."</p>', [("Joey", 'It says "Woman: eggs."')], id="quotation first"),
    pytest.param("<p><b>Joey:</b> Hi. (waves) <b>Ross:</b> Yo.</p>", [("Joey", "Hi."), ("Ross", "Yo.")], id="label after a direction"),
    pytest.param("<p><b>Joey:</b> Hi.</p><p>(Ross enters.) <b>Ross:</b> Yo.</p>", [("Joey", "Hi."), ("Ross", "Yo.")],
                 id="direction glued before the label"),
    pytest.param("<p><b>Joey:</b> Hi.</p><p>[Cut to Ross] <b>Ross:</b> Yo.</p>", [("Joey", "Hi."), ("Ross", "Yo.")],
                 id="transition glued before the label"),
    pytest.param("<p>[Scene: A bar.] <b>Ross:</b> Yo.</p>", [("Ross", "Yo.")], id="heading glued before the label"),
    pytest.param("<p>[Scene: A bar. <b>Ross:</b> Yo.</p>", [("Ross", "Yo.")], id="heading never closed before the label"),
    pytest.param("<p>{Note: a tape} <b>Ross:</b> Yo.</p>", [("Ross", "Yo.")], id="note glued before the label"),
    pytest.param("<p>Cut to: <b>Ross:</b> Yo.</p>", [("Ross", "Yo.")], id="bare transition before the label"),
    pytest.param("<p><b>Joey:</b> Hi.<br><b>Ross:</b> Yo.</p>", [("Joey", "Hi."), ("Ross", "Yo.")], id="<br> between"),
    pytest.param("<p><b>Joey:</b> (reads) Hi. (to Ross: no)</p>", [("Joey", "Hi.")], id="label-like words in a direction"),
    # continuations
    pytest.param("<p><b>Joey:</b> Hi<br>there.</p>", [("Joey", "Hi there.")], id="<br> goes on"),
    pytest.param("<p><b>Joey:</b> La la</p><p>la la la.</p>", [("Joey", "La la la la la.")], id="paragraph goes on"),
    pytest.param("<p><b>Joey:</b> La la</p><blockquote>la la.</blockquote>", [("Joey", "La la la la.")], id="blockquote"),
    pytest.param("<p><b>Joey:</b> Oh!</p><p>(sits)</p><p>So comfy.</p>", [("Joey", "Oh! So comfy.")], id="after a direction"),
    pytest.param("<p><b>Joey:</b> Hi.</p><p>(looks up) Oh, you.</p>", [("Joey", "Hi. Oh, you.")], id="direction, then speech"),
    pytest.param("<p><b>Joey:</b> Hi.</p><p>Ross opens the door.</p>", [("Joey", "Hi.")], id="direction without brackets"),
    pytest.param("<p><b>Joey:</b> Hi.</p><p>Ross is the best.</p>", [("Joey", "Hi. Ross is the best.")], id="about somebody, said"),
    pytest.param("<p><b>Joey:</b> Hi.</p><p>It's in my office.</p>", [("Joey", "Hi. It's in my office.")], id="a place, said"),
    pytest.param("<p><b>Joey:</b> Hi.</p><p>Later, I said no.</p>", [("Joey", "Hi. Later, I said no.")], id="later, said"),
    pytest.param("<p><b>Joey:</b> Hi.</p><p><b>OH MY GOODNESS!</b></p>", [("Joey", "Hi. OH MY GOODNESS!")], id="bold shout"),
    pytest.param("<p><b>Joey:</b> Hi.</p><p><b>My point: eggs.</b></p>", [("Joey", "Hi. My point: eggs.")], id="bold shout, colon"),
    pytest.param("<p><b>Joey:</b> Hi.</p><p>Ross likes eggs.</p>", [("Joey", "Hi. Ross likes eggs.")], id="state of mind, said"),
    pytest.param("<p><b>All:</b> Hi.</p><p>Guys guys, look. All yours.</p>", [("All", "Hi. Guys guys, look. All yours.")], id="no actor"),
    pytest.param("<p><b>Joey:</b> Hi. (He<br>walks<br>to<br>the<br>door) Bye.</p>", [("Joey", "Hi. Bye.")], id="direction over five lines"),
    pytest.param("<p><b>Joey:</b> Hi.</p><p>[Time lapse.<br>Later.]</p>", [("Joey", "Hi.")], id="transition over two lines"),
    pytest.param("<p><b>Ross:</b> Hi.</p><p>[Scene: A hall. Ross sits</p><p>there. Ross: waits.]</p>", [("Ross", "Hi.")],
                 id="label-like words in an open heading"),
    pytest.param("<p><b>Joey:</b> Hi.</p><p>Note to self: no.</p>", [("Joey", "Hi. Note to self: no.")], id="note to self"),
    pytest.param("<p><b>Joey:</b> Hi.</p><p>...</p>", [("Joey", "Hi. ...")], id="dots go on"),
    pytest.param("<p><b>Joey:</b> Hi. (He walks to the<br>window) Bye.</p>", [("Joey", "Hi. Bye.")], id="direction over two lines in a turn"),
    pytest.param("<p><b>Joey:</b> Hi.</p><p>[Ross walks in,</p><p>sees Joey,</p><p>and leaves.]</p>", [("Joey", "Hi.")], id="direction over three lines"),
    pytest.param("<p><b>Joey:</b> Hi.</p><p><b>You</b> said so.</p>", [("Joey", "Hi. You said so.")], id="stress first"),
]  # fmt: skip


@pytest.mark.parametrize(("html", "expected"), CUES)
def test_cue(html: str, expected: list[tuple[str, str]]) -> None:
    assert said(html) == expected


SPEECH = [
    pytest.param("(sits) Hi.", "Hi.", id="direction first"),
    pytest.param("Hi (waves) there.", "Hi there.", id="direction inside"),
    pytest.param("Hi. (waves)", "Hi.", id="direction last"),
    pytest.param("[waves] Hi.", "Hi.", id="square brackets"),
    pytest.param("&lt;laughs&gt; Hi.", "Hi.", id="angle brackets"),
    pytest.param("Hi {Note: sic} there.", "Hi there.", id="editor's note"),
    pytest.param("Hi (waves (twice)) there.", "Hi there.", id="nested brackets"),
    pytest.param("Hi [waves) there.", "Hi there.", id="brackets of two kinds"),
    pytest.param("Hi (waves", "Hi", id="bracket never closed"),
    pytest.param("Hi there.]", "Hi there.", id="stray closing bracket"),
    pytest.param("((to Ross) Hi there.", "Hi there.", id="doubled opening bracket"),
    pytest.param("(to Ross Hi. (waves) How are you?", "How are you?", id="unclosed before a closed bracket"),
    pytest.param("I &lt;3 you. &gt;", "I <3 you. >", id="heart sign"),
    pytest.param("Sad :-( and more", "Sad :-( and more", id="smiley"),
    pytest.param("...But why?", "...But why?", id="leading ellipsis"),
    pytest.param("5 &lt; 6, I think.", "5 < 6, I think.", id="less-than sign"),
    pytest.param("Hi (waves), all.", "Hi, all.", id="comma after a direction"),
    pytest.param("Hi! (He waves).", "Hi!", id="full stop of the direction"),
    pytest.param("Well-(gasps)-no.", "Well--no.", id="dashes around a direction"),
    pytest.param("You--(sits)--all.", "You--all.", id="double dashes around a direction"),
    pytest.param("(as Bob): Hi.", "Hi.", id="second colon after a direction"),
    pytest.param("(sits). Hi.", "Hi.", id="full stop after a direction"),
    pytest.param("(sits), hi.", "hi.", id="comma after a first direction"),
    pytest.param("(sits) . . . hi.", ". . . hi.", id="spaced ellipsis stays"),
    pytest.param("Um (beat) ...okay.", "Um ...okay.", id="ellipsis keeps its blank"),
    pytest.param("Hi(waves)there.", "Hi there.", id="no blanks around"),
    pytest.param("(sighs)", "", id="only a direction"),
    pytest.param("(sighs).", "", id="only a direction and its full stop"),
    pytest.param("...", "...", id="silence"),
    pytest.param("I&#146;m &#147;fine&#148;&#133;", 'I\'m "fine"...', id="C1 entities"),
    pytest.param("I&rsquo;m fine&hellip;", "I'm fine...", id="typographic entities"),
    pytest.param("dis&shy;aster", "disaster", id="soft hyphen"),
    pytest.param("caf&eacute; &amp; tea", "café & tea", id="entities"),
    pytest.param("Salt &amp pepper", "Salt & pepper", id="entity without its semicolon"),
    pytest.param("that is <b>so</b> not <i>it</i>", "that is so not it", id="stress"),
    pytest.param("Hi.&nbsp; &nbsp;You.", "Hi. You.", id="nbsp runs"),
    pytest.param("one\r\ntwo\nthree", "one two three", id="wrapped source lines"),
    pytest.param("Hi. <script>Ross: no</script>", "Hi.", id="script"),
    pytest.param("Hi. <!-- Ross: no -->", "Hi.", id="comment"),
    pytest.param("Hi</br>you.", "Hi you.", id="closed break"),
    pytest.param("(waves to Ross. Hi there.", "Hi there.", id="first direction left open"),
    pytest.param("Hi [sits. You. (stands) Fine.", "Hi You. Fine.", id="direction left open before another"),
    pytest.param("Hi. (He sits. Then he<br>stands.) You.", "Hi. You.", id="direction of two sentences over lines"),
    pytest.param("Hi. (He sits. He stands.", "Hi. He stands.", id="known to be wrong: second sentence of an open one"),
    pytest.param("it just *fell* out", "it just *fell* out", id="asterisks stay"),
    pytest.param("NO WAY!", "NO WAY!", id="shouting is no marker"),
    pytest.param("The end: is near.", "The end: is near.", id="marker words in speech"),
]


@pytest.mark.parametrize(("speech", "expected"), SPEECH)
def test_speech(speech: str, expected: str) -> None:
    assert said(f"<p><b>Joey:</b> {speech}</p>") == [("Joey", expected)]


def test_the_same_cue_means_different_people_in_different_episodes() -> None:
    page = "<p><b>Paul:</b> Hi.</p>"
    assert said(page, "0101.html") == [("Paul the Wine Guy", "Hi.")]
    assert said(page, "0622.html") == [("Paul", "Hi.")]
