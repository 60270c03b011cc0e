"""Token soup: documents of HTML and transcript fragments in random order, the same for the same seed."""

import random

TOKENS = (
    "<p>|</p>|<br>|<b>|</b>|<strong>|</STRONG>|<font color=blue>|</font>|<div>|</div>|<h1>|</h1>|<td>|</table>|<pre>|</pre>|"
    "<!--|-->|<![CDATA[|]]>|<?|<a b=c |<p |</|<|>|&|&amp|&lt;|&gt;|&nbsp;|&#146;|&#|<script>|</script>|<title>|</title>|</body>|"
    "<select>|<textarea>|</html>|'|\"|Joey:|ROSS:|Phoebe (to Ross):|Joey and Ross:|Man #2:|All:|Чandler:|[Scene: A park.]|"
    "[Scene: A park|[Cut to|(|)|[|]|{|}|(waves)|[waves)|Written by: A B|Transcribed by: x@example.org|The End|Opening Credits|"
    "Rule one: no.|at 8:30| Hi there.| you |’|…|é|-|:|::|\n|\r\n|\t| |\x0b|\x85|\xad|\xa0|\u2028|😀"
).split("|")


def soup(seed: int, size: int) -> bytes:
    """About `size` bytes; every other seed in windows-1252, so that not every document is valid UTF-8."""
    rng = random.Random(seed)
    tokens = rng.sample(TOKENS, k=rng.randint(8, len(TOKENS)))  # few kinds at a time: deeper nests, longer lines
    text = "<p><b>Joey:</b> Hi.</p>" + "".join(rng.choices(tokens, k=size // 6))
    return text.encode("cp1252" if seed % 2 else "utf-8", "replace")[:size]
