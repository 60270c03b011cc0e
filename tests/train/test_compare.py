"""`python -m train.compare`: prompts, budgets, intervals, verdicts, and the whole command on tiny Llamas."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import huggingface_hub  # noqa: F401  reads HF_HUB_OFFLINE when imported: now, not after a command has set it
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_generator import CONFIGS, write_home
from tiny import write_dataset

from friends_corpus.core.cli import InputError
from train import compare, report
from train.comparison.arms import check_runs
from train.comparison.bootstrap import MOST, Measured, interval
from train.comparison.journal import Journal
from train.comparison.measures import METRICS, measure
from train.comparison.prompts import KINDS, Prompt, choose, load_prompts
from train.comparison.verdicts import ARMS, CLAIMS, MARGINS, Claim, Part, decide, judge, judge_claim, judge_part
from train.generation.answers import Answer
from train.generation.generator import BASE, TextGenerator

pytestmark = pytest.mark.usefixtures("own_environment")
PERSONA = (
    "Your name is Friend. You are having a conversation with your close friend Ben. You and Ben are sarcastic and poke "
    "fun at one another. But you care about each other and support one another. You will be presented with something "
    "Ben said. Respond as Friend."
)
NAN = float("nan")
EXPECTED = ("higher", "lower", "not lower")


# --- prompts ---------------------------------------------------------------------------------------------------------


def test_the_prompts() -> None:
    prompts = load_prompts()
    assert len(prompts) >= 100
    assert {prompt.kind for prompt in prompts} == set(KINDS)
    assert len({(prompt.system, prompt.text) for prompt in prompts}) == len(prompts)
    by_author = [(prompt.system, prompt.text) for prompt in prompts if prompt.author]
    assert by_author == [
        (PERSONA, "Ben: What should we do tonight?"),
        (None, "Tell me about alpacas."),
        (None, "Who are you?"),
        (None, "How do you feel about Ross?"),
        (None, "Ben: Hey gang, how do you like this blog post?"),
    ]
    for prompt in prompts:
        for name in filter(None, (prompt.plays, prompt.user)):
            assert name in f"{prompt.system} {prompt.text}", prompt.id


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "p.yaml: … array … None", id="empty"),
        pytest.param("a: 1", "p.yaml: … array … {'a': 1}", id="mapping"),
        pytest.param("- [", "p.yaml: cannot be read … line 1", id="no-yaml"),
        pytest.param("- Who?", "p.yaml: 0: … object … 'Who?'", id="bare-text"),
        pytest.param("- {id: a, kind: question, txet: x}", "p.yaml: 0: unknown key 'txet' (did you mean 'text'?)", id="typo"),
        pytest.param("- {id: a, kind: question}", "p.yaml: 0.text: … required", id="missing"),
        pytest.param("- {id: a, kind: qestion, text: x}", "p.yaml: 0.kind: … 'question' … 'qestion'", id="kind"),
        pytest.param("- {id: a, kind: question, text: 3}", "p.yaml: 0.text: … string … 3", id="number"),
        pytest.param('- {id: a, kind: question, text: "\\ud800 hi"}', "p.yaml: … whole characters … \\ud800 hi", id="half-a-character"),
        pytest.param("- {id: a, kind: question, text: x, text: y}", "p.yaml: … 'text' stands twice", id="key-twice"),
        pytest.param("- {id: a, kind: question, text: é}\n- {id: a, kind: question, text: e}", "p.yaml: … 'a' stands twice", id="twice"),
    ],
)  # fmt: skip
def test_mistakes_in_prompts(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "p.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_prompts(tmp_path / "p.yaml")
    assert all(words in str(caught.value) for words in message.split(" … "))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("limit", [5, 6, 12, 50, 100, 119])
def test_a_limit_keeps_the_authors_and_kinds_even(limit: int) -> None:
    prompts = load_prompts()
    chosen = choose(prompts, limit)
    assert len(chosen) == limit
    assert sum(prompt.author for prompt in chosen) == 5
    assert list(chosen) == [prompt for prompt in prompts if prompt in chosen]
    counts, all_of = (Counter(prompt.kind for prompt in some) for some in (chosen, prompts))
    most = max(counts.values())
    assert limit < 6 or all(counts[kind] >= min(most - 1, all_of[kind]) for kind in KINDS)
    assert choose(prompts, None) == choose(prompts, 1000) == prompts


# --- adapters --------------------------------------------------------------------------------------------------------


def run_of(config: str, tokens: int | None, recipe: dict[str, Any] | None = None, **dataset: Any) -> Any:
    """What check_runs reads of a run.json."""
    return {
        "dataset": {"config": config} | dataset,
        "recipe": {"sft": {}, "lora": {}, "samples": {}} | (recipe or {}),
        "trained_tokens": tokens,
    }


@pytest.mark.parametrize(
    ("tokens", "ok"),
    [((100_000, 100_000), True), ((100_000, 102_000), True), ((100_000, 102_100), False), ((100_000, None), False), ((0, 0), False)],
)  # fmt: skip
def test_budgets(tokens: tuple[int | None, int | None], ok: bool) -> None:
    runs = {"lines": run_of("lines", tokens[0]), "chunks": run_of("chunks", tokens[1])}
    if ok:
        assert check_runs(runs, any_budget=False) == []
    else:
        with pytest.raises(
            InputError, match=r"the adapters were not trained on equally many tokens: lines .*--any-budget"
        ):
            check_runs(runs, any_budget=False)
        assert "were not trained on equally many tokens" in check_runs(runs, any_budget=True)[0]


def test_unequal_steps_are_noted() -> None:
    runs = {name: run_of(name, 100_000) | {"steps": steps} for name, steps in (("lines", 200), ("chat", 1200))}
    [note] = check_runs(runs, any_budget=False)
    assert "took unequal numbers of steps: lines 200, chat 1200" in note


def test_names_of_arms() -> None:
    with pytest.raises(InputError, match="the adapter called lines was trained on the config 'chunks'"):
        check_runs({"lines": run_of("chunks", 1)}, any_budget=False)
    assert (
        "chnks is no arm of any claim (did you mean 'chunks'?)" in check_runs({"chnks": run_of("chunks", 1)}, False)[0]
    )
    for claim in CLAIMS:
        for part in claim.parts:
            assert part.metric in {*METRICS, "reply_loss"}
            assert part.metric in MARGINS
            assert part.expected in EXPECTED
    assert set(ARMS) == {"base", "lines", "named_lines", "chunks", "chunks_clean", "chat"}


@pytest.mark.parametrize(
    ("printed", "cleaned", "message"),
    [
        pytest.param("text", "text", "chunks was trained on the column text, but chunks and chunks_clean differ", id="same"),
        pytest.param("text", "text_with_directions", "chunks was trained on the column text, but chunks and", id="swapped"),
        pytest.param("text_with_directions", "text_with_directions", "chunks_clean was trained on the column text_with", id="not-cleaned"),
        pytest.param(None, "text_with_directions", "chunks_clean was trained on the column text_with_directions, but chunks and", id="alone"),
        pytest.param(None, "text", None, id="alone-and-cleaned"),
        pytest.param("text_with_directions", "text", None, id="as-it-should-be"),
    ],
)  # fmt: skip
def test_columns_of_the_arms_that_show_what_cleaning_changes(
    printed: str | None, cleaned: str, message: str | None
) -> None:
    columns = {"chunks": printed, "chunks_clean": cleaned}
    runs = {name: run_of("chunks", 1, text_field=column) for name, column in columns.items() if column}
    if message is None:
        assert check_runs(runs, any_budget=False) == []
    else:
        with pytest.raises(InputError, match=message):
            check_runs(runs, any_budget=False)


def test_unequal_columns_of_the_blogs_arms_are_noted() -> None:
    columns = {"lines": "text", "chunks": "text_with_directions", "chat": "completion"}
    [note] = check_runs({name: run_of(name, 1, text_field=column) for name, column in columns.items()}, False)
    assert note.startswith("the adapters were trained on different columns: lines text, chunks text_with_directions.")


def test_what_else_differs_is_noted() -> None:
    runs = {
        "lines": run_of(
            "lines", 1, {"sft": {"learning_rate": 1e-3}, "samples": {"prompts": ["a"]}}, manifest_sha256="0"
        ),
        "chunks": run_of(
            "chunks", 1, {"sft": {"learning_rate": 2e-4}, "samples": {"prompts": ["b"]}}, manifest_sha256="1"
        ),
    }
    assert check_runs(runs, any_budget=False) == [
        "the adapters were trained alike but for sft.learning_rate: lines 0.001, chunks 0.0002",
        "the adapters were trained on different builds of the dataset",
    ]


# --- intervals and verdicts ------------------------------------------------------------------------------------------


def test_an_interval_is_that_of_the_normal_distribution_where_it_must_be() -> None:
    values = np.random.default_rng(1).normal(3.0, 2.0, 400)
    found = interval(values)
    assert found is not None
    half = 1.96 * values.std() / 20
    assert found["mean"] == pytest.approx(values.mean(), abs=1e-6)
    assert found["low"] == pytest.approx(values.mean() - half, abs=0.03)
    assert found["high"] == pytest.approx(values.mean() + half, abs=0.03)
    assert interval(values) == found


@pytest.mark.parametrize(
    ("draw", "truth"),
    [
        pytest.param(lambda chance: (chance.random(60) < 0.3).astype(float), 0.3, id="shares-of-60-prompts"),
        pytest.param(lambda chance: chance.normal(3.0, 0.2, 7), 3.0, id="losses-of-7-episodes"),
    ],
)
def test_it_covers_the_truth_about_as_often_as_it_says(draw: Any, truth: float) -> None:
    chance = np.random.default_rng(2)
    found = [interval(draw(chance)) for _ in range(400)]
    hits = sum(one is not None and one["low"] <= truth <= one["high"] for one in found)
    assert 0.92 < hits / len(found) < 0.98


@pytest.mark.parametrize("seeds", [1, 3], ids=["seeds-that-agree", "seeds-that-do-not"])
@pytest.mark.parametrize("prompts", [20, 100])
@pytest.mark.parametrize("rate", [0.0, 0.003, 0.01, 0.05, 0.3, 0.95, 0.99, 1.0])
def test_it_covers_rare_and_frequent_events(rate: float, prompts: int, seeds: int) -> None:
    chance = np.random.default_rng(5)
    shares = [chance.binomial(seeds, rate, prompts) / seeds for _ in range(300)]
    found = [Measured({"a": share}, "share").mean("a") for share in shares]
    hits = [one is not None and 0 <= one["low"] <= rate <= one["high"] <= 1 for one in found]
    assert sum(hits) / len(hits) >= 0.93


@pytest.mark.parametrize("rates", [(0.0, 0.0), (0.003, 0.003), (0.01, 0.05), (0.3, 0.2)])
@pytest.mark.parametrize("prompts", [20, 100])
def test_it_covers_differences_of_shares(rates: tuple[float, float], prompts: int) -> None:
    chance = np.random.default_rng(5)
    drawn = [
        {name: chance.binomial(1, rate, prompts) * 1.0 for name, rate in zip("ab", rates, strict=True)}
        for _ in range(300)
    ]
    found = [Measured(values, "share").difference(["a"], "b") for values in drawn]
    hits = [one is not None and -1 <= one["low"] <= rates[0] - rates[1] <= one["high"] <= 1 for one in found]
    assert sum(hits) / len(hits) >= 0.93


def test_nothing_seen_is_not_nothing() -> None:
    """In shares and counts; a loss of 7 episodes that is the same everywhere is taken as it is."""
    never = {"a": np.zeros(100), "b": np.zeros(100), "c": np.ones(100)}
    for unit in ("share", "count"):
        assert Measured(never, unit).mean("a") == {"mean": 0.0, "low": 0.0, "high": pytest.approx(0.03, abs=0.01)}
        difference = Measured(never, unit).difference(["a"], "b")
        assert difference == {"mean": 0, "low": pytest.approx(-0.03, abs=0.01), "high": pytest.approx(0.03, abs=0.01)}
    assert Measured(never, "share").mean("c") == {"mean": 1.0, "low": pytest.approx(0.97, abs=0.01), "high": 1.0}
    same = {"a": np.full(7, 3.5), "b": np.full(7, 3.5)}
    for unit in ("nats", "tokens"):
        assert Measured(same, unit).difference(["a"], "b") == {"mean": 0.0, "low": 0.0, "high": 0.0}


@given(st.lists(st.sampled_from([0, 1, 2, 3]), min_size=5, max_size=40), st.data())
def test_one_more_event_lowers_nothing(events: list[int], data: st.DataObject) -> None:
    """Of three seeds of a prompt one more says it; the other voice says it now and then."""
    where = data.draw(st.integers(0, len(events) - 1))
    more = [*events[:where], min(3, events[where] + 1), *events[where + 1 :]]
    other = np.resize([0.0, 0.0, 1 / 3], len(events))
    for unit in (*MOST, "nats"):
        before, after = (Measured({"a": np.array(of) / 3, "b": other}, unit) for of in (events, more))
        for then, now in (
            (before.mean("a"), after.mean("a")),
            (before.difference(["a"], "b"), after.difference(["a"], "b")),
        ):
            assert then is not None and now is not None
            assert all(then[end] <= now[end] for end in ("mean", "low", "high"))
            assert now["low"] <= now["mean"] <= now["high"]


@pytest.mark.parametrize(
    ("values", "weights", "mean"),
    [
        pytest.param([1, 1, 1, 1, NAN], None, None, id="too-few"),
        pytest.param([1, 2, 3, 4, 5, NAN], None, 3.0, id="one-without-a-value"),
        pytest.param([0, 0, 0, 0, 10], [1, 1, 1, 1, 4], 5.0, id="weights"),
        pytest.param([0, 0, 0, 0, 10, NAN], [1, 1, 1, 1, 4, 100], 5.0, id="weight-of-nothing"),
    ],
)
def test_means(values: list[float], weights: list[float] | None, mean: float | None) -> None:
    found = interval(np.array(values, float), None if weights is None else np.array(weights, float))
    if mean is None:
        assert found is None
    else:
        assert found is not None
        assert found["mean"] == mean
        assert found["low"] <= mean <= found["high"]


@pytest.mark.parametrize(
    ("low", "mean", "high", "higher", "lower", "not_lower"),
    [
        pytest.param(0.1, 0.15, 0.2, "supported", "not supported", "supported", id="above"),
        pytest.param(-0.2, -0.15, -0.1, "not supported", "supported", "not supported", id="below"),
        pytest.param(-0.2, 0.0, 0.2, "undecided", "undecided", "undecided", id="wide"),
        pytest.param(-0.2, 0.1, 0.2, "undecided", "undecided", "undecided", id="wide-around-much"),
        pytest.param(-0.01, 0.0, 0.01, "not supported", "not supported", "supported", id="none-to-speak-of"),
        pytest.param(0.01, 0.02, 0.03, "not supported", "not supported", "supported", id="sure-and-too-small"),
        pytest.param(0.01, 0.03, 0.06, "undecided", "not supported", "supported", id="too-small-but-perhaps-not"),
        pytest.param(0.01, 0.05, 0.06, "supported", "not supported", "supported", id="just-enough"),
        pytest.param(0.0, 0.1, 0.2, "undecided", "not supported", "supported", id="from-zero"),
        pytest.param(-0.2, -0.1, 0.01, "not supported", "undecided", "undecided", id="hardly-above"),
        pytest.param(
            -0.06, -0.03, -0.01, "not supported", "undecided", "undecided", id="too-small-below-but-perhaps-not"
        ),
    ],
)
def test_the_rule(low: float, mean: float, high: float, higher: str, lower: str, not_lower: str) -> None:
    found = [decide({"mean": mean, "low": low, "high": high}, expected, 0.05) for expected in EXPECTED]
    assert found == [higher, lower, not_lower]


@given(st.floats(-0.3, 0.3), *[st.floats(0, 0.3)] * 4)
def test_who_is_less_sure_decides_no_more(mean: float, below: float, above: float, lower: float, higher: float) -> None:
    """A wider interval around the same mean leaves a decision as it was or makes it undecided."""
    narrow = {"mean": mean, "low": mean - below, "high": mean + above}
    wide = narrow | {"low": mean - below - lower, "high": mean + above + higher}
    for expected in EXPECTED:
        assert decide(wide, expected, 0.05) in (decide(narrow, expected, 0.05), "undecided")


def generator(**means: float) -> Measured:
    """A metric whose values scatter around the mean of each voice, by the same amounts in each."""
    scatter = np.linspace(-0.4, 0.4, 41)
    return Measured({name: mean + scatter for name, mean in means.items()}, "nats")


def test_differences_are_paired() -> None:
    """The scatter over prompts is far larger than the difference, and the same in both: it must not count."""
    measured = generator(base=1.0, chunks=1.2)
    measured.values["chunks"][::2] += 0.01
    found = judge_part(Part("hey", ("chunks",), "higher", "base"), {"hey": measured})
    assert (found["verdict"], round(found["mean"], 3)) == ("supported", 0.205)
    assert 0.2 <= found["low"] < found["high"] <= 0.21
    alone = interval(measured.values["chunks"])
    assert alone is not None
    assert alone["high"] - alone["low"] > 0.1


def test_arms_are_taken_together_and_told_apart() -> None:
    part = Part("hey", ("lines", "chunks", "named_lines"), "higher", "base")
    found = judge_part(part, {"hey": generator(base=1.0, lines=0.9, chunks=1.5)})
    assert (found["arms"], found["mean"]) == (["lines", "chunks"], pytest.approx(0.2))
    assert {arm: of["mean"] for arm, of in found["by_arm"].items()} == pytest.approx({"lines": -0.1, "chunks": 0.5})


@pytest.mark.parametrize("said", [pytest.param(0.0, id="never"), pytest.param(1 / 3, id="once-by-chunks")])
@pytest.mark.parametrize(
    ("prompts", "verdict"), [pytest.param(12, "undecided", id="few"), pytest.param(120, "not supported", id="many")]
)
def test_what_hardly_happened_in_a_few_prompts_is_undecided(prompts: int, verdict: str, said: float) -> None:
    never = Measured({"base": np.zeros(prompts), "chunks": np.zeros(prompts)}, "share")
    never.values["chunks"][0] = said
    found = judge_part(Part("hey", ("chunks",), "higher", "base"), {"hey": never})
    assert found["verdict"] == verdict
    assert found["high"] == pytest.approx(3 / prompts, rel=0.4)


def test_losses_of_few_episodes_may_decide() -> None:
    """That no episode shows the contrary is much, where every one shows a difference."""
    losses = Measured({"base": np.full(7, 3.5), "chunks": np.array([3.0, 3.1, 3.2, 3.0, 3.1, 3.2, 3.1])}, "nats")
    found = judge_part(Part("reply_loss", ("chunks",), "lower", "base"), {"reply_loss": losses})
    assert (found["verdict"], found["mean"]) == ("supported", pytest.approx(-0.4))
    assert found["high"] < -0.3


@pytest.mark.parametrize(
    ("hey", "script", "verdict", "metric"),
    [
        pytest.param(2.0, 2.0, "supported", "hey", id="both"),
        pytest.param(2.0, 0.0, "not supported", "script", id="one-fails"),
        pytest.param(2.0, None, "undecided", "script", id="one-not-measured"),
        pytest.param(0.0, None, "not supported", "hey", id="one-not-measured-one-fails"),
        pytest.param(None, None, "left out", "hey", id="none-measured"),
    ],
)
def test_a_claim_of_two_parts(hey: float | None, script: float | None, verdict: str, metric: str) -> None:
    claim = Claim("…", "…", (Part("hey", ("chat",), "higher", "base"), Part("script", ("chat",), "higher", "base")))
    given = {"hey": hey, "script": script}
    measured = {name: generator(base=1.0, chat=mean) for name, mean in given.items() if mean is not None}
    found = judge_claim(claim, measured)
    assert (found["verdict"], found["metric"]) == (verdict, metric)
    assert verdict != "left out" or found["note"] == "hey was not measured"
    assert (found["low"] is None) == (given[metric] is None)


def test_claims_whose_arms_are_missing_are_left_out() -> None:
    measured = {name: generator(base=1.0, lines=1.0) for name in METRICS}
    found = {verdict["claim"]: verdict for verdict in judge(measured)}
    assert len(found) == len(CLAIMS)
    assert all({"claim", "verdict", "metric", "mean", "low", "high"} <= set(verdict) for verdict in found.values())
    left_out = [claim for claim, verdict in found.items() if verdict["verdict"] == "left out"]
    assert left_out == [CLAIMS[number].text for number in (0, 1, 2, 5, 6)]
    assert found[CLAIMS[1].text]["note"] == "it needs named_lines among the adapters"
    assert found[CLAIMS[0].text]["note"] == "reply_loss was not measured"


def test_measures_are_means_over_seeds() -> None:
    ask = [Prompt("a", "question", "Do alpacas spit?"), Prompt("b", "small_talk", "Hi!", plays="Friend", user="Ben")]
    said = {
        ("a", 0, "base"): Answer("Alpacas spit.", True, 4),
        ("a", 1, "base"): Answer("Hey! Alpacas.", False, 8),
        ("b", 0, "base"): Answer("Friend: Hey!\nBen: Hey!\nRoss: Hey!", True, 6),
        ("b", 1, "base"): Answer("", True, 0),
    }
    found = {name: of.values["base"].tolist() for name, of in measure(said, ask, range(2), ["base"]).items()}
    expected = {"script": [0, 0.5], "other_speakers": [0, 0.5], "user_turns": [0, 0.5], "hey": [0.5, 0.5]}
    expected |= {"stopped": [0.5, 1.0], "tokens": [6.0, 3.0], "overlap": [0.75, NAN], "repetition": [NAN, 0.0]}
    for name, values in expected.items():
        assert found[name] == pytest.approx(values, nan_ok=True), name


def test_on_the_topic_at_equal_length() -> None:
    """The long answer has more room, and comes to the point later; one that hardly says anything cuts the others not below five words."""
    ask = [Prompt(name, "question", "Do alpacas spit?") for name in "ab"]
    said = {
        ("a", 0, "base"): "Well, that is a good question about them: alpacas spit.",
        ("a", 0, "chat"): "Alpacas are hungry, so they hum.",
        ("b", 0, "base"): "Alpacas spit.",
        ("b", 0, "chat"): "I would say alpacas, never spit.",
    }
    found = measure({key: Answer(text, True, 9) for key, text in said.items()}, ask, [0], ["base", "chat"])
    assert {voice: of.tolist() for voice, of in found["overlap"].values.items()} == {"base": [1, 1], "chat": [0.5, 1]}
    assert {voice: of.tolist() for voice, of in found["equal_overlap"].values.items()} == {
        "base": [0, 1],
        "chat": [0.5, 0.5],
    }


# --- the journal -----------------------------------------------------------------------------------------------------


@pytest.mark.attack("kill -9", "a journal cut anywhere")
def test_a_journal_goes_on_where_it_was_cut(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    settings = {"tokens": 3, "prompts": {"a": [None, "Wie geht’s?"]}}
    journal = Journal(path, settings)
    journal.add([(("a", 0, "base"), {"text": "gut\n"}), (("b", 0, "base"), {"text": "é"})])
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        again = Journal(path, settings)
        assert set(again.records) <= set(journal.records)
        again.add((key, value) for key, value in journal.records.items() if key not in again.records)
        assert path.read_bytes() == whole


@pytest.mark.attack("the user's files", "journals and lists of pages")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("thesis\n", "is no record of a comparison", id="foreign"),
        pytest.param("thesis", "is no record of a comparison", id="foreign-without-line-end"),
        pytest.param('{"settings": {"tokens": 3}}\n[]\n', "is no record of a comparison", id="odd-line"),
        pytest.param(
            '{"settings": {"tokens": 4}}\n', "holds answers to other questions: tokens was 4, is 3", id="other"
        ),
    ],
)
def test_a_journal_of_something_else(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(message)):
        Journal(path, {"tokens": 3})
    assert path.read_text(encoding="utf-8") == text


@pytest.mark.attack("the user's files", "journals and lists of pages")
def test_a_journal_is_not_begun_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "answers.jsonl").symlink_to("elsewhere")
    with pytest.raises(InputError, match="is no record of a comparison"):
        Journal(tmp_path / "answers.jsonl", {"tokens": 3})
    assert not (tmp_path / "elsewhere").exists()


# --- the command -----------------------------------------------------------------------------------------------------


def write_run(folder: Path, config: str = "lines", **values: Any) -> Path:
    """What looks like an adapter until one looks into its weights."""
    folder.mkdir()
    base = {"model": "someone/tiny", "wheel": None, "gguf": None, "bits": 8, "sequence_length": 64, "batch_size": 1}
    base |= {"gradient_accumulation": 1, "gradient_checkpointing": False, "source": "folder", "sha256": "0" * 64}
    run = {"base": base, "dataset": {"config": config}, "recipe": {"prompts": ["Hi."]}, "trained_tokens": 1000}
    (folder / "run.json").write_text(json.dumps(run | values), encoding="utf-8")
    (folder / "adapter_config.json").write_text("{}", encoding="utf-8")
    (folder / "adapter_model.safetensors").write_bytes(b"")
    return folder


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param("lines", "--adapters 'lines': write NAME=FOLDER", id="no-name"),
        pytest.param("lines=", "--adapters 'lines=': write NAME=FOLDER", id="no-folder-given"),
        pytest.param("base=lines", "--adapters 'base=lines': 'base' is taken", id="base"),
        pytest.param("lines=lines lines=lines", "--adapters 'lines=lines': 'lines' is taken", id="twice"),
        pytest.param("lines=nowhere", "nowhere: no such folder; give one that train.sft wrote", id="no-folder"),
        pytest.param("lines=line", "line: no such folder (did you mean 'lines'?)", id="misspelt-folder"),
        pytest.param("chat=lines", "the adapter called chat was trained on the config 'lines'; call it by that", id="name"),
        pytest.param("lines=lines chat=longer", "the adapters were not trained on equally many tokens: lines 1,000, chat 1,100", id="budget"),
        pytest.param("lines=steps", "steps/run.json: steps: … 'x' … train again", id="steps"),
        pytest.param("lines=true", "true/run.json: trained_tokens: … True … train again", id="true"),
        pytest.param("lines=rank", "rank/run.json: recipe.lora.r: … [16] … train again", id="rank"),
        pytest.param("lines=lines --limit 4", "--limit is 4; it must be 5 or more", id="limit"),
        pytest.param("lines=lines --seeds 0", "--seeds is 0; it must be above 0", id="seeds"),
        pytest.param("lines=lines --tokens 0", "--tokens is 0; it must be above 0", id="tokens"),
        pytest.param("lines=lines --temperature nan", "--temperature is nan; it must be from 0", id="temperature"),
        pytest.param("lines=lines --temperature 0", "with --temperature 0 every seed gives the same answer; add --seeds 1", id="greedy"),
        pytest.param("lines=lines --top-p 0", "--top-p is 0.0; it must be above 0", id="top-p"),
        pytest.param("lines=lines --replies -1", "--replies is -1; it must be 0 or more", id="replies"),
        pytest.param("lines=lines --rows 0", "--rows is 0; it must be above 0", id="rows"),
        pytest.param("lines=lines --prompts nowhere.yaml", "nowhere.yaml: cannot be read", id="prompts"),
        pytest.param("lines=lines --data nowhere", "no dataset folder 'nowhere'", id="data"),
        pytest.param("lines=lines --data lines", "lines is no dataset folder", id="data-empty"),
        pytest.param("lines=lines --out thesis.txt", "--out thesis.txt is not a folder", id="out"),
        pytest.param("lines=lines --out lines", "--out lines holds what no comparison wrote", id="out-foreign"),
        pytest.param("lines=lines", "the base 'someone/tiny' was a local folder; add --base FOLDER", id="base-folder"),
    ],
)  # fmt: skip
def test_mistakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, arguments: str, message: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(compare, "quiet", lambda offline: None)  # it takes seconds
    write_run(tmp_path / "lines")
    write_run(tmp_path / "longer", "chat", trained_tokens=1100)
    write_run(tmp_path / "steps", steps="x")
    write_run(tmp_path / "true", trained_tokens=True)
    write_run(tmp_path / "rank", recipe={"prompts": ["Hi."], "lora_rank": [16]})
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    assert compare.main(["--adapters", *arguments.split()]) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    first, *words = message.split(" … ")
    assert printed.err.startswith(f"error: {first}")
    assert all(word in printed.err for word in words)
    assert {path.name for path in tmp_path.iterdir()} <= {
        "lines",
        "longer",
        "steps",
        "true",
        "rank",
        "thesis.txt",
        "report",
    }
    assert (tmp_path / "thesis.txt").read_text(encoding="utf-8") == "mine"


COMMAND = [
    *("--adapters", *(f"{config}={config}" for config in CONFIGS)),
    *"--base tiny --bits 32 --limit 14 --seeds 2 --tokens 8 --rows 20 --replies 30 --data friends-lines".split(),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, four adapters, a dataset, and in `report` what the command made of them."""
    home = write_home(tmp_path_factory.mktemp("compare"), trained_tokens=1000)
    write_dataset(home / "friends-lines", {"train": 4, "validation": 6})
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(home)
        assert compare.main(COMMAND) == 0
    return home


@pytest.mark.slow
def test_the_results(home: Path) -> None:
    results = json.loads((home / "report" / "results.json").read_text(encoding="utf-8"))
    names = [BASE, *CONFIGS]
    assert (results["base"], results["budget_tokens"]) == ("someone/tiny", 1000)
    assert re.search(r"\(CPU, \d+ threads\)$", results["device"])
    assert list(results["variants"]) == names
    for metrics in results["variants"].values():
        assert set(metrics) == {*METRICS, "reply_loss"}
        assert all(of["low"] <= of["mean"] <= of["high"] for of in metrics.values())
    assert list(results["metrics"]) == [*METRICS, "reply_loss"]
    assert {verdict["claim"] for verdict in results["verdicts"]} == {claim.text for claim in CLAIMS}
    assert results["notes"] == [
        "answers to each prompt: 2, and not 3 or more. A lucky one weighs much",
        "the held-out episodes are too few: the interval of the loss of real replies is over their scenes",
        "lines, named_lines, chunks, chat was trained on another build of the dataset, which may contain these replies",
    ]
    asked = {(sample["prompt_id"], sample["seed"], sample["variant"]): sample for sample in results["samples"]}
    assert len(asked) == len(results["samples"]) == 14 * 2 * 5
    assert asked["author_tonight", 0, BASE]["system"] == PERSONA
    assert len({sample["text"] for sample in results["samples"]}) > 100
    kept = [json.loads(line) for line in (home / "report" / "answers.jsonl").read_text("utf-8").splitlines()[1:]]
    assert {tuple(one["key"]): one["value"]["text"] for one in kept} == {key: one["text"] for key, one in asked.items()}
    for name in ("report.html", "report.md"):
        assert CLAIMS[3].text in (home / "report" / name).read_text(encoding="utf-8"), name


@pytest.mark.slow
def test_kept_values_are_judged_by_todays_rules(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same rules give the same results; another margin gives other verdicts, without an answer."""
    monkeypatch.chdir(home)
    path = home / "report" / "results.json"
    results = json.loads(path.read_text(encoding="utf-8"))
    assert set(results["measured"]) == {*METRICS, "reply_loss"}
    assert all(set(kept["values"]) == {BASE, *CONFIGS} for kept in results["measured"].values())
    bare = results | {"samples": results["samples"][:5], "verdicts": [], "variants": {}}
    (home / "bare.json").write_text(json.dumps(bare), encoding="utf-8")
    assert report.main(["bare.json", "--out", "judged"]) == 0
    again = json.loads((home / "judged" / "results.json").read_text(encoding="utf-8"))
    assert again == results | {"samples": bare["samples"]}
    monkeypatch.setitem(MARGINS, "hey", 0.0001)
    assert report.main(["bare.json", "--out", "judged"]) == 0
    other = json.loads((home / "judged" / "results.json").read_text(encoding="utf-8"))
    margins = [{verdict["metric"]: verdict.get("margin") for verdict in of["verdicts"]}["hey"] for of in (again, other)]
    assert margins == [0.05, 0.0001]


@pytest.mark.slow
def test_the_loss_of_replies(home: Path) -> None:
    """That of one reply in every voice, by plain transformers and PEFT."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from train.comparison.replies import load_replies, notes_on
    from train.models.turn_format import PLAIN

    replies = load_replies(home / "friends-lines", 30)
    assert len({reply.id for reply in replies}) == 30
    kept = [json.loads(line) for line in (home / "report" / "replies.jsonl").read_text("utf-8").splitlines()[1:]]
    found = {one["key"][0]: one["value"] for one in kept}
    assert set(found) == {reply.id for reply in replies}
    reply = replies[0]
    tokenizer = AutoTokenizer.from_pretrained(home / "tiny")
    start = tokenizer.apply_chat_template(list(reply.prompt), chat_template=PLAIN, tokenize=False)
    assert start == "<s>" + "".join(message["content"] + "\n" for message in reply.prompt)
    read = tokenizer(start, add_special_tokens=False)["input_ids"]
    learnt = tokenizer(reply.text, add_special_tokens=False)["input_ids"]
    assert found[reply.id]["tokens"] == len(learnt)
    for name in (BASE, *CONFIGS):
        model: Any = AutoModelForCausalLM.from_pretrained(home / "tiny")
        model = model if name == BASE else PeftModel.from_pretrained(model, str(home / name))
        with torch.no_grad():
            labels = torch.tensor([[-100] * len(read) + learnt])
            loss = model.eval()(input_ids=torch.tensor([read + learnt]), labels=labels).loss.item()
        assert found[reply.id]["losses"][name] == pytest.approx(loss * len(learnt), rel=1e-4), name
    assert "was not measured" in notes_on(None, None, {})[0]


@pytest.mark.slow
def test_an_interrupted_comparison_goes_on(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """Ctrl-C in the third batch; afterwards no prompt is asked twice, and the results are those of one go."""
    monkeypatch.chdir(home)
    answer = TextGenerator.answer
    asked: list[Any] = []

    def counted(self: TextGenerator, rows: Any, sampling: Any, streamer: Any = None) -> list[Answer]:
        if len(asked) == 2 * 20:
            asked.append("interrupted")
            raise KeyboardInterrupt
        asked.extend((voice, sampling.seed, str(messages)) for voice, messages in rows)
        return answer(self, rows, sampling, streamer)

    monkeypatch.setattr(TextGenerator, "answer", counted)
    assert compare.main([*COMMAND, "--out", "again"]) == 130
    assert not (home / "again" / "results.json").exists()
    assert "run the same command again to resume" in capsys.readouterr().err
    assert compare.main([*COMMAND, "--out", "again"]) == 0
    assert len(asked) == len(set(asked)) == 14 * 2 * 5 + 1
    for name in ("results.json", "report.html", "answers.jsonl", "replies.jsonl"):
        assert (home / "again" / name).read_bytes() == (home / "report" / name).read_bytes(), name

    capsys.readouterr()
    card = home / "again" / "report.md"
    kept = card.read_bytes()
    card.write_bytes(kept + b"my notes")
    assert compare.main([*COMMAND, "--out", "again"]) == 2
    assert "again/report.md was changed" in capsys.readouterr().err
    assert card.read_bytes() == kept + b"my notes"
    card.write_bytes(kept)
    assert compare.main([*COMMAND, "--out", "again", "--tokens", "9"]) == 2
    assert "again/answers.jsonl holds answers to other questions: tokens was 8, is 9;" in capsys.readouterr().err
    assert (home / "again" / "results.json").read_bytes() == (home / "report" / "results.json").read_bytes()


@pytest.mark.slow
def test_out_of_memory_and_no_replies(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(home)
    arguments = [
        *"--adapters chat=chat --base tiny --bits 32 --limit 5 --seeds 1 --tokens 2 --replies 0 --out few".split()
    ]
    with monkeypatch.context() as patched:

        def full(*_: Any) -> list[Answer]:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

        patched.setattr(TextGenerator, "answer", full)
        assert compare.main(arguments) == 1
    assert "error: out of memory with 60 answers in a batch; add --rows 30\n" in capsys.readouterr().err
    assert compare.main(arguments) == 0
    printed = capsys.readouterr().out
    assert "no dataset" not in printed, "nobody asked for replies"
    assert "left out       The tuned model takes on a Friends tone: reply_loss was not measured" in printed
