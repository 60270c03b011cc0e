"""The page itself: talk to one voice, or ask all of them at once in columns that grow together.

What was said and chosen is kept in the browser, so that a reload, or another start of the server, loses nothing.
Imports nothing heavy until a page is made.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any
from uuid import uuid4

from friends_corpus.command import InputError, in_short

from ..turns import FRIENDS
from ..voices import BASE, Sampling, Voices
from .columns import card, columns, told
from .conversation import FRIEND, Message, Persona, answered, named_folder, outcome, question, reply
from .streaming import answers, check_sampling

ONE, ALL = "Talk to one", "Ask all at once"
NOBODY = "nobody in particular"
VOICE = 1  # its place among what is chosen
Histories = dict[str, list[Message]]  # voice → what was said to it and by it


class Page:
    """What the page does when something is chosen, asked or loaded; values in and out are those of its parts."""

    def __init__(self, voices: Voices, wanted: Persona, sampling: Sampling) -> None:
        self.voices, self.wanted, self.sampling = voices, wanted, sampling
        self.answering: set[str] = set()  # sessions that are being answered now
        self.ended: set[str] = set()  # those whose answer is to end

    def visible(self, mode: str, voice: str) -> list[str]:
        """The voices that are shown, and asked."""
        return list(self.voices.names) if mode == ALL else [voice]

    def show(self, mode: str, voice: str, said: Histories) -> str:
        """The columns."""
        return columns({name: said.get(name, []) for name in self.visible(mode, voice)})

    def card(self, voice: str) -> str:
        """The card of an adapter; of the base what is known of it."""
        base, folder = self.voices.base, self.voices.folders.get(voice)
        if folder is None:
            return told(f"{base.model} as it is, in {base.bits} bits, from {self.voices.source.described}.")
        try:
            return card((folder / "README.md").read_text(encoding="utf-8", errors="replace"))
        except OSError:
            return told(f"{folder} has no README.md.")

    def hear(
        self,
        text: str,
        mode: str,
        voice: str,
        plays: str,
        heat: float,
        tokens: int,
        seed: int,
        said: Histories,
        session: str,
    ) -> Iterator[tuple[Any, str, Histories]]:
        """Asks whom is visible; yields the question box, the columns and what was said, as the answers grow.

        Ends early where `end` says so: Gradio's own way to cancel leaves the button dead if no word has come yet.
        """
        import gradio as gr

        friend = "" if plays in (NOBODY, None) else plays.strip()
        before = {name: answered(said.get(name, [])) for name in self.visible(mode, voice)}
        asked = {name: [*history, question(text.strip())] for name, history in before.items()}
        persona = replace(self.wanted, character=friend)
        self.answering.add(session)
        try:
            if not text.strip():
                raise InputError("nothing was asked; say something first")
            sampling = check_sampling(replace(self.sampling, temperature=heat, tokens=int(tokens), seed=int(seed or 0)))
            with closing(answers(self.voices, list(asked.items()), persona, sampling)) as growing:
                box: Any = ""  # emptied once: what is typed while the answer grows is the next question
                for turns in growing:
                    now = {
                        name: [*asked[name], reply(turn.text, name, friend)]
                        for name, turn in zip(asked, turns, strict=True)
                    }
                    yield box, columns(now, growing=True), said | now
                    box = gr.skip()
                    if session in self.ended:
                        break
            now = {name: [*asked[name], outcome(turn, name, friend)] for name, turn in zip(asked, turns, strict=True)}
            yield box, columns(now), said | now
        except (InputError, RuntimeError) as error:
            gr.Warning(in_short(error))
            yield text, columns(before), said | before
        finally:
            self.answering.discard(session)

    def end(self, session: str) -> None:
        """Ends the answer that is growing, if one is, and waits for its last words."""
        self.ended.add(session)
        while session in self.answering:
            time.sleep(0.05)
        self.ended.discard(session)

    def load(self, typed: str) -> tuple[Any, str, str]:
        """One more voice, from its folder: the list of voices, the box it was typed into, and what happened."""
        import gradio as gr

        try:
            name, folder = named_folder(typed)
            self.voices.add(name, folder)
        except InputError as error:
            return gr.skip(), typed, told(str(error), wrong=True)
        return gr.update(choices=list(self.voices.names), value=name), "", told(f"{name} is loaded and answers now.")

    def forget(self, mode: str, voice: str, said: Histories, session: str) -> tuple[str, Histories]:
        """The columns empty again, and what was said to the others."""
        self.end(session)
        gone = self.visible(mode, voice)
        kept = {name: history for name, history in said.items() if name not in gone}
        return self.show(mode, voice, kept), kept

    def first_choice(self) -> list[Any]:
        """What is chosen before anybody chose: mode, voice, character, temperature, tokens, seed."""
        first = next((name for name in self.voices.names if name != BASE), BASE)
        learnt = any(run["dataset"]["config"] == "chat" for run in self.voices.runs.values())
        plays = (FRIEND if learnt else "") if self.wanted.character is None else self.wanted.character
        return [ONE, first, plays or NOBODY, self.sampling.temperature, self.sampling.tokens, self.sampling.seed]

    def restore(self, kept: list[Any], said: Histories) -> list[Any]:
        """The page as it was left, visible: its body, what is chosen, the columns, the card."""
        import gradio as gr

        usable = len(kept) == len(self.first_choice()) and kept[VOICE] in self.voices.names
        chosen = kept if usable else self.first_choice()
        mode, voice = chosen[:2]
        controls = [gr.update(value=value) for value in chosen]
        controls[VOICE] = gr.update(value=voice, choices=list(self.voices.names))
        return [gr.update(visible=True), *controls, self.show(mode, voice, said), self.card(voice)]

    def head(self) -> str:
        """Its first lines."""
        base = self.voices.base
        return f"<h1>Talk to a Friend</h1>{told(f'{base.model} in {base.bits} bits; what it writes is invented.')}"


def make_page(voices: Voices, wanted: Persona, sampling: Sampling, loading: bool) -> Any:
    """The page as gradio.Blocks. `loading`: adapters can be loaded by the path of their folder."""
    import gradio as gr

    it = Page(voices, wanted, sampling)
    first = it.first_choice()
    with gr.Blocks(title="Talk to a Friend", analytics_enabled=False) as page:
        said = gr.BrowserState({}, storage_key="friends-corpus-said", secret="friends-corpus")
        session = gr.State(lambda: uuid4().hex)
        kept = gr.BrowserState([], storage_key="friends-corpus-chosen", secret="friends-corpus")
        with gr.Column(visible=False) as body:  # until it is as it was left: who chooses earlier would be overruled
            gr.HTML(it.head())
            with gr.Row():
                mode = gr.Radio([ONE, ALL], value=first[0], label="How", min_width=280)
                voice = gr.Dropdown(list(voices.names), value=first[VOICE], label="Voice", min_width=200)
                names = [NOBODY, *FRIENDS]
                label = "Plays (or type a name)"
                plays = gr.Dropdown(names, value=first[2], allow_custom_value=True, label=label, min_width=200)
            shown = gr.HTML()
            with gr.Row(equal_height=True, elem_id="ask"):  # always in sight, however long the columns are
                text = gr.Textbox(placeholder="Say something …", show_label=False, container=False, scale=6)
                ask = gr.Button("Ask", variant="primary", min_width=80)
                stop = gr.Button("Stop", min_width=80)
                reset = gr.Button("Start again", min_width=80)
            with gr.Accordion("Sampling", open=False), gr.Row():
                heat = gr.Slider(0, 2, first[3], step=0.05, label="Temperature (0: greedy)")
                tokens = gr.Slider(1, max(400, first[4]), first[4], step=1, label="Tokens, at most")
                seed = gr.Number(first[5], precision=0, minimum=0, maximum=2**32 - 1, label="Seed")
            with gr.Accordion("The card of this voice", open=False):
                about = gr.HTML()
            with gr.Accordion("Load another adapter", open=False, visible=loading):
                typed = gr.Textbox(label="Its folder, as train.sft wrote it", placeholder="adapters/chat")
                add = gr.Button("Load")
                outcome = gr.HTML()

        private: Any = {"api_visibility": "private", "show_progress": "hidden"}
        chosen: list[Any] = [mode, voice, plays, heat, tokens, seed]
        seen = [mode, voice, said]
        page.load(it.restore, [kept, said], [body, *chosen, shown, about], **private)
        gr.on([part.change for part in chosen], lambda *values: list(values), chosen, kept, **private)
        gr.on([mode.change, voice.change], it.show, seen, shown, **private)
        voice.change(it.card, voice, about, **private)
        gr.on([ask.click, text.submit], it.hear, [text, *chosen, said, session], [text, shown, said], **private)
        stop.click(it.end, session, None, **private)
        reset.click(it.forget, [*seen, session], [shown, said], **private)
        if loading:
            gr.on([add.click, typed.submit], it.load, typed, [voice, typed, outcome], **private)
    return page
