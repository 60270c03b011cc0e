"""The page itself: talk to one model, or ask all of them at once in columns that grow together.

What was said and chosen is kept in the tab of the browser (see `web.py`), so that a reload, or another start of the
server, loses nothing. Imports nothing heavy until a page is made.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

from friends_corpus.core.cli import InputError, in_short, report_bug
from friends_corpus.core.visible import visible
from train.adapters.run_record import cast_of
from train.dataset.formatting import Message
from train.generation.answers import Sampling
from train.generation.generator import BASE, TextGenerator

from .columns import card, columns, escape, told
from .conversation import Persona, answered, friend_of, named_folder, outcome, question, reply
from .streaming import Tokens, answers, check_sampling

ONE, ALL = "Talk to one", "Ask all at once"
NOBODY = "nobody in particular"
TABS = 16  # questions at once; more wait in Gradio's queue
VOICE = 1  # its place among what is chosen
Histories = Mapping[str, list[Message]]  # model → what was said to it and by it


@dataclass(frozen=True)
class Choice:
    """What is chosen on the page, in the order of its parts."""

    mode: str
    model_name: str
    plays: str | None
    heat: float
    tokens: float
    seed: float | None


@dataclass
class Tab:
    """The state of one tab of a browser."""

    sees: tuple[str, str] = (ONE, BASE)  # mode and model that are chosen now
    asked: Histories = field(default_factory=dict)  # whom its last question went to, with what came of it so far
    growing: Tokens | None = None  # of the answers to it; `stop` them, and they end

    def kept(self, histories: Histories) -> Histories:
        """Return the history with the last answers added."""
        return {**histories, **{name: answered(history) for name, history in self.asked.items()}}


class Page:
    """What the page does when something is chosen, asked or loaded; values in and out are those of its parts."""

    def __init__(self, generator: TextGenerator, wanted: Persona, sampling: Sampling) -> None:
        self.generator, self.wanted, self.sampling = generator, wanted, sampling
        self.most = min(
            max(400, sampling.tokens), generator.context_length - 1
        )  # tokens of an answer that can be chosen

    def visible(self, mode: str, model_name: str) -> list[str]:
        """Return the models that are shown and asked."""
        return list(self.generator.names) if mode == ALL else [model_name]

    def show(self, mode: str, model_name: str, histories: Histories, tab: Tab) -> str:
        """Show the columns that are chosen now, also while another answer grows."""
        tab.sees = mode, model_name
        return self.columns(histories, tab, growing=tab.growing is not None)

    def columns(self, histories: Histories, tab: Tab, growing: bool) -> str:
        """Return the columns that the tab sees; `growing`: its last answers are incomplete."""
        now = {**histories, **tab.asked}
        return columns({name: now.get(name, []) for name in self.visible(*tab.sees)}, growing)

    def card(self, model_name: str) -> str:
        """Return the card of an adapter, or what is known of the base."""
        base, folder = self.generator.base, self.generator.folders.get(model_name)
        if folder is None:
            return told(f"{base.model} as it is, in {base.bits} bits, from {self.generator.source.described}.")
        try:
            return card((folder / "README.md").read_text(encoding="utf-8", errors="replace"))
        except OSError:
            return told(f"{folder} has no README.md.")

    def handle(self, text: str, histories: Histories, tab: Tab, *chosen: Any) -> Iterator[tuple[Any, str, Histories]]:
        """Ask the visible models; yield the question box, the columns and the history as the answers grow.

        Ends early where `end` says so: Gradio's own way to cancel leaves the button dead if no word has come yet.
        """
        import gradio as gr

        choice = Choice(*chosen)
        tab.sees = choice.mode, choice.model_name
        asked = {name: [*histories.get(name, []), question(text.strip())] for name in self.visible(*tab.sees)}
        box: Any = ""  # emptied once: what is typed while the answer grows is the next question
        tab.growing = tokens = Tokens()
        try:
            try:
                if not text.strip():
                    raise InputError("nothing was asked; say something first")
                friend = "" if choice.plays in (NOBODY, None) else str(choice.plays).strip()
                for tab.asked in self.ask(asked, friend, self.drawing(choice), tokens):
                    yield box, self.columns(histories, tab, growing=True), tab.kept(histories)
                    box = gr.skip()
            except Exception as error:  # Gradio would show nothing of it
                gr.Warning(escape(in_short(error) if isinstance(error, InputError) else reported(error)))
                box, tab.asked = text, {}
            yield box, self.columns(histories, tab, growing=False), tab.kept(histories)
        finally:
            tab.growing = None

    def ask(self, asked: Histories, friend: str, sampling: Sampling, tokens: Tokens) -> Iterator[Histories]:
        """Yield the history with growing answers, at the end with their outcome. Raises InputError."""
        persona = replace(self.wanted, character=friend)
        with closing(answers(self.generator, list(asked.items()), persona, sampling, tokens)) as growing:
            for turns in growing:
                answered = dict(zip(asked, turns, strict=True))
                yield {name: [*asked[name], reply(turn.text, name, friend)] for name, turn in answered.items()}
        yield {name: [*asked[name], outcome(turn, name, friend)] for name, turn in answered.items()}

    def drawing(self, choice: Choice) -> Sampling:
        """Return the sampling settings that are chosen. Raises InputError."""
        heat, tokens, seed = float(choice.heat), int(choice.tokens), int(choice.seed or 0)
        sampling = replace(self.sampling, temperature=heat, tokens=tokens, seed=seed)
        return check_sampling(sampling, self.generator.context_length)

    def end(self, tab: Tab) -> None:
        """Stop the answers that are growing or waiting."""
        if tab.growing is not None:
            tab.growing.stop()

    def load(self, typed: str) -> tuple[Any, str, str]:
        """Load another adapter; return the list of models, the text box and a notice."""
        import gradio as gr

        try:
            name, folder = named_folder(typed)
            self.generator.add(name, folder)
        except InputError as error:
            return gr.skip(), typed, told(str(error), wrong=True)
        return gr.update(choices=list(self.generator.names), value=name), "", told(f"{name} is loaded and answers now.")

    def forget(self, mode: str, model_name: str, histories: Histories, tab: Tab) -> tuple[str, Histories]:
        """Empty the visible columns and keep the other histories."""
        self.end(tab)
        while tab.growing is not None:  # until its last words are out: they would come back
            time.sleep(0.05)
        cleared, kept = self.visible(mode, model_name), tab.kept(histories)
        tab.asked, left = {}, {name: history for name, history in kept.items() if name not in cleared}
        return self.show(mode, model_name, left, tab), left

    def first_choice(self) -> list[Any]:
        """Return the initial settings: mode, model, character, temperature, tokens, seed."""
        first = next((name for name in self.generator.names if name != BASE), BASE)
        plays = self.wanted.character
        if plays is None and any(run["dataset"]["config"] == "chat" for run in self.generator.runs.values()):
            plays = friend_of(cast_of(first, self.generator.runs))
        return [ONE, first, plays or NOBODY, self.sampling.temperature, self.sampling.tokens, self.sampling.seed]

    def is_choice(self, kept: list[Any]) -> bool:
        """Tell whether earlier settings are still possible: the server may be another."""
        try:
            choice = Choice(*kept)
            return choice.model_name in self.generator.names and self.drawing(choice).tokens <= self.most
        except (TypeError, ValueError):
            return False

    def restore(self, kept: list[Any], histories: Histories) -> list[Any]:
        """Return the page as it was left: its body, the settings, the columns, the card."""
        import gradio as gr

        chosen = kept if self.is_choice(kept) else self.first_choice()
        mode, model_name = chosen[:2]
        controls = [gr.update(value=value) for value in chosen]
        controls[VOICE] = gr.update(value=model_name, choices=list(self.generator.names))
        return [
            gr.update(visible=True),
            *controls,
            self.show(mode, model_name, histories, Tab()),
            self.card(model_name),
        ]


def reported(error: Exception) -> str:
    """Return one line about an unexpected error; the log gets all of it."""
    report_bug(error, "the page keeps running")
    return f"{type(error).__name__}: {in_short(error)}"


def make_page(generator: TextGenerator, persona: Persona, sampling: Sampling, loading: bool) -> Any:
    """Return the page as gradio.Blocks. `loading`: adapters can be loaded by path."""
    import gradio as gr

    it = Page(generator, persona, sampling)
    first = it.first_choice()
    with gr.Blocks(title="Talk to a Friend", analytics_enabled=False) as page:
        histories = gr.BrowserState({}, storage_key="friends-corpus-said", secret="friends-corpus")
        tab = gr.State(Tab())
        kept = gr.BrowserState([], storage_key="friends-corpus-chosen", secret="friends-corpus")
        with gr.Column(visible=False) as body:  # until it is as it was left: who chooses earlier would be overruled
            base = f"{generator.base.model} in {generator.base.bits} bits; what it writes is invented."
            gr.HTML(f"<h1>Talk to a Friend</h1>{told(base)}")
            with gr.Row():
                mode = gr.Radio([ONE, ALL], value=first[0], label="How", min_width=280)
                model_name = gr.Dropdown(list(generator.names), value=first[VOICE], label="Model", min_width=200)
                plays = gr.Dropdown(
                    [(visible(name), name) for name in (NOBODY, *cast_of(first[VOICE], generator.runs).names)],
                    value=first[2],
                    allow_custom_value=True,
                    label="Character (or type a name)",
                    min_width=200,
                )
            shown = gr.HTML()
            with gr.Row(elem_id="ask"):  # always in sight, however long the columns are
                text = gr.Textbox(
                    placeholder="Say something …", show_label=False, container=False, scale=6, max_lines=4
                )
                ask = gr.Button("Ask", variant="primary", min_width=80)
                stop = gr.Button("Stop", min_width=80)
                reset = gr.Button("Start again", min_width=80)
            with gr.Accordion("Sampling", open=False), gr.Row():
                heat = gr.Slider(0, 2, first[3], step=0.05, label="Temperature (0: greedy)")
                tokens = gr.Slider(1, it.most, first[4], step=1, label="Tokens, at most")
                seed = gr.Number(first[5], precision=0, label="Seed")  # its limits would be told without its name
            with gr.Accordion("Model card", open=False):
                about = gr.HTML()
            with gr.Accordion("Load another adapter", open=False, visible=loading):
                typed = gr.Textbox(label="Its folder, as train.sft wrote it", placeholder="adapters/chat")
                add = gr.Button("Load")
                outcome = gr.HTML()

        private: Any = {"api_visibility": "private", "show_progress": "hidden"}
        chosen: list[Any] = [mode, model_name, plays, heat, tokens, seed]
        seen: list[Any] = [mode, model_name, histories, tab]
        page.load(it.restore, [kept, histories], [body, *chosen, shown, about], **private)
        gr.on([part.change for part in chosen], None, chosen, kept, js="(...values) => [values]", **private)
        gr.on([mode.change, model_name.change], it.show, seen, shown, **private)
        model_name.change(it.card, model_name, about, **private)
        gr.on(
            [ask.click, text.submit],
            it.handle,
            [text, histories, tab, *chosen],
            [text, shown, histories],
            concurrency_limit=TABS,  # who waits for another tab's answer waits in `handle`, where it can be stopped
            **private,
        )
        stop.click(it.end, tab, None, **private)
        reset.click(it.forget, seen, [shown, histories], **private)
        if loading:
            loads: Any = {"concurrency_limit": None, **private}  # a slow folder holds up no other
            gr.on([add.click, typed.submit], it.load, typed, [model_name, typed, outcome], **loads)
    return page
