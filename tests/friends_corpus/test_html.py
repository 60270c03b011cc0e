"""Bytes to text to blocks: charsets, crossed tags, depth."""

import pytest

from friends_corpus.core.model import ParseError
from friends_corpus.formats.html import decode, read_blocks


@pytest.mark.parametrize(
    ("data", "text"),
    [
        pytest.param("’é".encode(), "’é", id="utf-8 undeclared"),
        pytest.param("’é".encode("utf-8-sig"), "’é", id="utf-8 with BOM"),
        pytest.param(b"\xff\xfe" + "’é".encode("utf-16-le"), "’é", id="utf-16 with BOM"),
        pytest.param(b"\xfe\xff" + "’é".encode("utf-16-be"), "’é", id="utf-16 big-endian with BOM"),
        pytest.param(b"\x92\xe9", "’é", id="windows-1252 undeclared"),
        pytest.param(b"<meta charset=iso-8859-1>\x92\xe9", "’é", id="latin-1 label means windows-1252"),
        pytest.param(b"<meta charset='windows-1252'>\x93\x85", "“…", id="windows-1252"),
        pytest.param(b"<meta charset='utf-8'>\x92", "’", id="utf-8 label on windows-1252 bytes"),
        pytest.param("<meta charset='klingon'>’".encode(), "’", id="unknown label"),
        pytest.param("<meta charset='utf-16'>’".encode(), "’", id="utf-16 label that cannot be true"),
        pytest.param("<meta charset='rot13'>’".encode(), "’", id="label of a codec that is no charset"),
        pytest.param("<meta charset='punycode'>’".encode(), "’", id="label of a codec for host names"),
        pytest.param(b"<meta charset='unicode_escape'>\\x41", "\\x41", id="label of a codec for string literals"),
        pytest.param("<meta charset='koi8-r'>да".encode("koi8-r"), "да", id="another charset"),
        pytest.param("<meta charset='iso-8859-1'>’".encode(), "â€™", id="the label is believed"),
        pytest.param(b"\x81", "\x81", id="undefined byte kept"),
    ],
)
def test_decode(data: bytes, text: str) -> None:
    assert decode(data).removeprefix("<meta").split(">")[-1] == text


@pytest.mark.parametrize(
    ("html", "blocks"),
    [
        ("<p>a</p><p>b</p>", ["a", "b"]),
        ("<p>a<p>b", ["a", "b"]),
        ("a<br>b<BR/>c<br />d", ["a", "b", "c", "d"]),
        ("<div>a<div>b</div>c</div>", ["a", "b", "c"]),
        ("<table><tr><td>a<td>b</table>", ["a", "b"]),
        ("<ul><li>a<li>b</ul>", ["a", "b"]),
        ("<font><p>a</font>b</p>", ["ab"]),
        ("a <b> b</b>  c", ["a b c"]),
        ("<p> \n </p><p>&nbsp;</p><p>a</p>", ["a"]),
        ("<pre>a\nb</pre>", ["a", "b"]),
        ("<title>x</title><style>y</style><script>z</script><noscript>n</noscript>a", ["a"]),
        ("a<!-- b -->c<!DOCTYPE d>", ["ac"]),
        ('a<!--<font color="red"-->8:30<!-- </b -->c', ["a8:30c"]),
        ("a<!-- <b> never closed", ["a"]),
        ("<pre>a&amp;b\nc</pre>d", ["a&b", "c", "d"]),
        ("<ruby>a<rt>b</rt></ruby>", ["ab"]),
        ("</body></html>late", ["late"]),
        ("<p<b>Joey:</b> Hi.</p>", ["Joey: Hi."]),
        ('<p align="center"<b>Joey:</b> Hi.</p>', ["Joey: Hi."]),
        ("a <i unclosed <b>b</b> c", ["a b c"]),
    ],
)
def test_blocks(html: str, blocks: list[str]) -> None:
    assert [block.text.strip(" \n") for block in read_blocks(html.encode())] == blocks


@pytest.mark.parametrize(
    ("html", "bold"),
    [
        ("<p><b>a</b>b</p>", "a"),
        ("<b><p>a</b>b</p>", "a"),
        ("a<b><br>b</b>c", "b"),
        ("<p><b>a<p>b", "a"),
        ("<p><b><b>a</b>b</b>c", "ab"),
        ("<p></b>a<b>b</b>", "b"),
        ("<p><strong\n class=x>a</strong>b", "a"),
        ("<p><br><big>a</big><body>b</p>", ""),
    ],
)
def test_bold_survives_crossed_and_open_tags(html: str, bold: str) -> None:
    runs = [run for block in read_blocks(html.encode()) for run in block.runs]
    assert "".join(run.text for run in runs if run.bold) == bold


def test_text_nested_very_deep_is_kept() -> None:
    (block,) = read_blocks(b"<div>" * 20_000 + b"deep" + b"</div>" * 20_000)
    assert block.text == "deep"


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n\x00\x00", b"\0" * 100, b"PK\x03\x04\0\0"])
def test_binary_data_is_refused(data: bytes) -> None:
    with pytest.raises(ParseError, match="binary data"):
        read_blocks(data)


def test_control_characters_do_not_forge_bold() -> None:
    (block,) = read_blocks(b"<p>\x02a\x03b&#2;c&#x003d;&#x1F;d&#11</p>")
    assert [(run.text, run.bold) for run in block.runs] == [("abc=d", False)]
