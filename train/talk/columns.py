"""What the page of `train.chat --web` shows of conversations and cards: HTML, in which all text is escaped."""

import html
import re
from collections.abc import Mapping, Sequence

from friends_corpus.core.visible import visible
from train.dataset.formatting import Message

FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.S)  # the metadata of a card: "---\nlibrary_name: peft\n---\n"
CSS = """
.gradio-container { max-width: 1400px !important; overflow: clip !important; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(13rem, 100%), 1fr)); gap: .75rem; }
.columns section { border: 1px solid var(--border-color-primary); border-radius: .75rem; padding: .75rem; min-width: 0;
  background: var(--background-fill-primary); }
.columns h3 { margin: 0 0 .5rem; font-size: 1rem; overflow-wrap: anywhere; color: var(--body-text-color); }
.columns .said { display: flex; flex-direction: column-reverse; max-height: 55vh; min-height: 3rem; overflow-y: auto; }
.columns .said > div { display: flex; flex-direction: column; gap: .5rem; margin-bottom: auto; }
.columns p { margin: 0; padding: .5rem .75rem; border-radius: .75rem; white-space: pre-wrap; overflow-wrap: anywhere;
  max-width: 92%; align-self: flex-start; color: var(--body-text-color); background: var(--background-fill-secondary);
  border: 1px solid var(--border-color-primary); }
.columns p.you { align-self: flex-end; border-color: transparent; color: #fff; background: #3d5a80; }
.columns .nobody { border-style: dashed; background: none; opacity: .7; }
.columns p b { display: block; font-size: .8rem; font-weight: 600; opacity: .75; }
#ask { position: sticky; bottom: 0; z-index: 2; padding: .5rem 0; background: var(--background-fill-primary); }
.card { max-height: 70vh; overflow: auto; overflow-wrap: anywhere; }
.card pre { overflow-x: auto; padding: .75rem; background: var(--background-fill-secondary); overflow-wrap: normal; }
.card table { display: block; overflow-x: auto; border-collapse: collapse; }
.card td, .card th { border: 1px solid var(--border-color-primary); padding: .25rem .5rem; text-align: left; }
.told { overflow-wrap: anywhere; }
.told.wrong { color: var(--error-text-color, #b91c1c); }
"""


def escape(text: str) -> str:
    """Escape a text for HTML, also for attributes."""
    return html.escape(visible(text))


def columns(histories: Mapping[str, Sequence[Message]], growing: bool = False) -> str:
    """Return one column per model (name → history), side by side if there is room.

    `growing`: the last answers are not all there yet.

    >>> "<p class='you' dir='auto'>&lt;b&gt;Hi</p>" in columns({"chat": [{"role": "user", "content": "<b>Hi"}]})
    True
    """
    sections = "".join(column(*pair) for pair in histories.items())
    return f"<div class='columns' aria-live='polite' aria-busy='{str(growing).lower()}'>{sections}</div>"


def column(model_name: str, history: Sequence[Message]) -> str:
    """Return the column of one model; its box stays scrolled to the end."""
    text = "".join(map(paragraph, history)) or "<p class='nobody'>Nothing was said yet.</p>"
    return f"<section><h3>{escape(model_name)}</h3><div class='said' tabindex='0'><div>{text}</div></div></section>"


def paragraph(message: Message) -> str:
    """Return one message; an empty reply shows that more is coming."""
    text = escape(message["content"])
    if message["role"] == "assistant":
        who = f"<b>{escape(message['character'])}</b>" if message["character"] else ""
        return f"<p class='friend' dir='auto'>{who}{text or '…'}</p>"
    return f"<p class='{'you' if message['role'] == 'user' else 'nobody'}' dir='auto'>{text}</p>"


def told(text: str, wrong: bool = False) -> str:
    """Return a line that says what happened."""
    return f"<p class='told{' wrong' if wrong else ''}' role='status'>{escape(text)}</p>"


def card(markdown: str) -> str:
    """Return a card's Markdown as HTML without its metadata; tags are shown as text, images by their alt text.

    >>> card("---\\nlicense: other\\n---\\n# Hey\\n<script>")
    "<div class='card'><h1>Hey</h1>\\n<p>&lt;script&gt;</p>\\n</div>"
    """
    from markdown_it import MarkdownIt

    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    reader.add_render_rule("image", lambda _, tokens, index, *rest: escape(tokens[index].content))
    return f"<div class='card'>{reader.render(FRONT_MATTER.sub('', visible(markdown)))}</div>"
