"""The page of `python -m train.chat --web`, used in a real browser; what it shows of hostile text needs none."""

from __future__ import annotations

import asyncio
import shutil
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import pytest
from tiny import write_model, write_voice

from friends_corpus.core.cli import InputError
from train.generation.answers import Sampling
from train.generation.generator import TextGenerator, load_generator
from train.talk import guard
from train.talk.columns import card, columns
from train.talk.conversation import Persona, question, reply
from train.talk.guard import MOST_AT_ONCE
from train.talk.web import free_port, launch

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
QUESTION = "Hey, who took <b>my</b> muffin?"
CONFIGS = ("chat", "chunks")
EVERYBODY = ("base", *CONFIGS)


@pytest.mark.attack("secrets and text", "markup in answers")
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("<script>alert(1)</script>", "&lt;script&gt;", id="script"),
        pytest.param("' onclick='x", "&#x27; onclick=", id="quote"),
        pytest.param("![x](https://example.com/x.png)", "![x](https://example.com/x.png)", id="markdown"),
        pytest.param("שלום", "<p class='friend' dir='auto'><b>Joey</b>שלום</p>", id="right-to-left"),
        pytest.param("", "…", id="not-begun"),
    ],
)
def test_what_is_said_is_text(text: str, shown: str) -> None:
    page = columns({"<i>": [question("?"), reply(text, "<i>", "Joey")]})
    assert shown in page
    assert "<h3>&lt;i&gt;</h3>" in page
    assert not {"<script", "<img", "<i>"} & set(page.split(">"))


@pytest.mark.attack("secrets and text", "markup in cards")
@pytest.mark.parametrize(
    ("markdown", "shown"),
    [
        pytest.param("---\nlicense: other\n---\n# Hey\n", "<div class='card'><h1>Hey</h1>\n</div>", id="metadata"),
        pytest.param("# Hey\n\n---\n\nYou\n", "<hr />", id="rule-is-no-metadata"),
        pytest.param("<img src=x onerror=alert(1)>", "&lt;img src=x", id="tag"),
        pytest.param("[x](javascript:alert(1))", "[x](javascript:alert(1))", id="script-link"),
        pytest.param("![a < b](https://example.com/x.png)", "<p>a &lt; b</p>", id="picture"),
        pytest.param("| a | b |\n|---|---|\n| 1 | 2 |\n", "<td>1</td>", id="table"),
        pytest.param("```python\n<b>\n```", "&lt;b&gt;", id="code"),
    ],
)
def test_a_card_is_harmless(markdown: str, shown: str) -> None:
    assert shown in card(markdown)
    assert "<img" not in card(markdown)


@pytest.fixture(scope="module")
def gradio() -> Any:
    """First of all fixtures, so that where something is missing nothing is built in vain."""
    return pytest.importorskip("gradio", reason="pip install '.[ui]'")


@pytest.fixture(scope="module")
def chromium(gradio: Any) -> str:
    """The browser."""
    pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    return found or pytest.skip(f"none of {', '.join(BROWSERS)} is installed: apt-get install chromium")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Adapters on a tiny Llama: those of CONFIGS, and `late`."""
    home = tmp_path_factory.mktemp("web")
    model = write_model(home / "tiny", hub_id="someone/tiny")
    for name, config in (*zip(CONFIGS, CONFIGS, strict=True), ("late", "lines")):
        write_voice(home / name, model, config)
    return home


@pytest.fixture(scope="module")
def generator(gradio: Any, home: Path) -> TextGenerator:
    """Those of CONFIGS."""
    return load_generator({name: home / name for name in CONFIGS}, base=str(home / "tiny"))


@pytest.fixture(scope="module")
def address(generator: TextGenerator) -> Iterator[str]:
    """Where the page is served."""
    page, url, public = launch(generator, Persona(user="Ben"), Sampling(40, 0.7, 0.95, 1), port=0, share=False)
    assert public is None
    yield url
    page.close(verbose=False)


@pytest.fixture
def browser(chromium: str, address: str) -> Iterator[Any]:
    """A fresh Chromium with the page open; fails if a page asked anybody else for anything, or if a script failed."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = opened.new_context(viewport={"width": 1280, "height": 800})
        context.set_default_timeout(60_000)
        asked, failed = [], []
        context.on("request", lambda request: asked.append(request.url))
        context.on("weberror", lambda error: failed.append(str(error.error)))
        yield visit(context, address)
        opened.close()
    assert failed == []
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []


def visit(context: Any, address: str) -> Any:
    """The page in a tab of its own."""
    page = context.new_page()
    came = page.goto(address)
    assert "frame-ancestors 'none'" in came.headers["content-security-policy"]
    page.locator(".columns").wait_for()
    return page


@pytest.fixture
def slowly(generator: TextGenerator) -> Iterator[Any]:
    """A model that takes its time for a token, 80 s for all of 400, until `remove`."""
    hook = generator.model.get_base_model().register_forward_pre_hook(lambda *_: time.sleep(0.2))
    yield hook
    hook.remove()


@pytest.fixture
def reading(generator: TextGenerator) -> Iterator[Event]:
    """A model that reads its prompt until it is set."""
    done = Event()

    def wait(*_: object) -> None:
        done.wait(60)

    hook = generator.model.get_base_model().register_forward_pre_hook(wait)
    yield done
    done.set()
    hook.remove()


def ask(page: Any, text: str, answers: int) -> list[str]:
    """Asks, and waits until so many answers are whole; their texts."""
    say(page, text)
    page.wait_for_function("count => document.querySelectorAll('.columns p.friend').length == count", arg=answers)
    return whole(page)


def say(page: Any, text: str) -> None:
    """Asks."""
    page.get_by_placeholder("Say something").fill(text)
    press(page, "Ask")


def press(page: Any, button: str) -> None:
    """Clicks."""
    page.get_by_role("button", name=button, exact=True).click()


def set_number(page: Any, label: str, value: str) -> None:
    """Types a number."""
    page.get_by_label(label).fill(value)
    page.get_by_label(label).press("Tab")


def whole(page: Any) -> list[str]:
    """The answers, once no more comes."""
    page.locator(".columns[aria-busy=false]").wait_for()
    return list(page.locator(".columns p.friend").all_inner_texts())


def choose(page: Any, label: str, name: str) -> None:
    """Picks from a list, by typing: the keyboard must do."""
    box = page.get_by_label(label)
    box.fill(name)
    box.press("Enter")


@pytest.mark.slow
def test_everybody_answers_at_once_and_a_reload_loses_nothing(browser: Any) -> None:
    browser.get_by_label("Ask all at once").click()
    browser.wait_for_function("document.querySelectorAll('.columns section').length == 3")
    browser.evaluate(
        """() => { window.seen = [new Set(), new Set(), new Set()];
        new MutationObserver(() => document.querySelectorAll('.columns section').forEach((column, place) => {
            const answer = column.querySelector('p.friend'); if (answer) window.seen[place].add(answer.innerText.length);
        })).observe(document.body, {subtree: true, childList: true, characterData: true}); }"""
    )
    choose(browser, "Character (or type a name)", "Ross")
    answers = ask(browser, QUESTION, answers=3)
    assert all(answer.startswith("Ross\n") and len(answer) > 10 for answer in answers)
    assert len(set(answers)) == 3
    assert min(browser.evaluate("window.seen.map(lengths => lengths.size)")) > 2  # it grew, in every column
    assert browser.locator(".columns h3").all_inner_texts() == list(EVERYBODY)
    assert browser.locator(".columns p.you").all_inner_texts() == [QUESTION] * 3
    assert browser.get_by_placeholder("Say something").input_value() == ""

    browser.reload()
    browser.locator(".columns p.friend").first.wait_for()
    assert browser.locator(".columns p.friend").all_inner_texts() == answers
    assert browser.get_by_label("Ask all at once").is_checked()
    assert browser.get_by_label("Character (or type a name)").input_value() == "Ross"

    browser.get_by_label("Talk to one").click()
    choose(browser, "Model", "chunks")
    browser.wait_for_function("document.querySelectorAll('.columns section').length == 1")
    choose(browser, "Character (or type a name)", "Gunther")
    assert ask(browser, "And you?", answers=2)[1].startswith("Gunther\n")
    press(browser, "Start again")
    browser.locator(".columns .nobody").wait_for()


@pytest.mark.slow
def test_wrong_and_right_adapters_and_their_cards(browser: Any, home: Path) -> None:
    browser.get_by_role("button", name="Model card").click()
    browser.get_by_role("heading", name="The card of chat").wait_for()
    assert "<script>alert(1)</script>" in browser.locator(".card").inner_text()
    browser.get_by_role("button", name="Load another adapter").click()
    folder = browser.get_by_label("Its folder, as train.sft wrote it")
    for typed, said in (
        (str(home / "nowhere"), "nowhere: no such folder"),
        (str(home / "tiny"), "tiny is no adapter of train.sft"),  # not the message that is still there
        ("", "no adapter in ''"),
        (str(home / "chat"), "there is a model of that name"),
    ):
        folder.fill(typed)
        press(browser, "Load")
        browser.locator(".told.wrong", has_text=said).wait_for()
        assert folder.input_value() == typed
    folder.fill(str(home / "late"))
    folder.press("Enter")
    browser.locator(".told", has_text="late is loaded and answers now.").wait_for()
    assert browser.get_by_label("Model").input_value() == "late"
    browser.get_by_role("heading", name="The card of lines").wait_for()
    assert len(ask(browser, QUESTION, answers=1)[0]) > 3


@pytest.mark.slow
def test_an_answer_can_be_stopped_and_a_question_that_is_none_is_refused(slowly: Any, browser: Any) -> None:
    press(browser, "Ask")
    browser.get_by_text("nothing was asked").wait_for()
    browser.get_by_role("button", name="Sampling").click()
    set_number(browser, "number input for Tokens, at most", "400")
    say(browser, QUESTION)
    browser.wait_for_function("document.querySelector('.columns p.friend')?.innerText.length > 10")
    browser.get_by_placeholder("Say something").fill("Again?")  # while it answers
    press(browser, "Stop")
    [stopped] = whole(browser)
    slowly.remove()
    assert len(stopped) < 500  # of 400 tokens
    set_number(browser, "number input for Tokens, at most", "5")
    assert whole(browser) == [stopped]
    press(browser, "Ask")
    browser.locator(".columns[aria-busy=false] p.you:text('Again?') + p.friend").wait_for()


@pytest.mark.slow
def test_a_question_is_shown_at_once_and_a_stop_waits_for_no_token(reading: Event, browser: Any) -> None:
    say(browser, QUESTION)
    browser.locator(".columns[aria-busy=true] p.friend:text('…')").wait_for()
    box = browser.get_by_placeholder("Say something")
    assert box.input_value() == ""
    box.fill("Again?")
    press(browser, "Stop")
    browser.locator(".columns[aria-busy=false] p.nobody:text('[nothing]')").wait_for()
    reading.set()
    assert box.input_value() == "Again?"
    press(browser, "Ask")
    browser.locator(".columns[aria-busy=false] p.you:text('Again?') + p.friend").wait_for()
    assert browser.locator(".columns p.you").all_inner_texts() == ["Again?"]  # what got no answer is taken back


@pytest.mark.slow
def test_who_waits_for_another_tab_can_stop_and_start_again(reading: Event, browser: Any, address: str) -> None:
    say(browser, "One?")
    browser.locator(".columns[aria-busy=true] p.friend").wait_for()
    waiting = visit(browser.context, address)
    for button, left in (("Stop", "[nothing]"), ("Start again", "Nothing was said yet.")):
        say(waiting, "Two?")
        waiting.locator(".columns[aria-busy=true] p.friend:text('…')").wait_for()
        press(waiting, button)
        waiting.locator(f".columns[aria-busy=false] p.nobody:text('{left}')").wait_for()
    reading.set()
    [answer] = whole(browser)
    assert len(ask(waiting, "Three?", answers=1)) == 1
    assert waiting.locator(".columns p.you").all_inner_texts() == ["Three?"]
    assert whole(browser) == [answer]


@pytest.mark.slow
def test_each_tab_keeps_its_own_conversation(browser: Any, address: str) -> None:
    answers = ask(browser, "One?", answers=1)
    other = visit(browser.context, address)
    assert whole(other) == []
    ask(other, "Two?", answers=1)
    browser.reload()
    browser.locator(".columns p.friend").wait_for()
    assert browser.locator(".columns p.you").all_inner_texts() == ["One?"]
    assert whole(browser) == answers


@pytest.mark.slow
def test_what_is_chosen_while_an_answer_grows_is_shown(generator: TextGenerator, slowly: Any, browser: Any) -> None:
    choose(browser, "Model", "chunks")
    browser.locator(".columns h3:text('chunks')").wait_for()
    say(browser, QUESTION)
    browser.locator(".columns[aria-busy=true] p.friend").wait_for()
    browser.get_by_label("Ask all at once").click()
    browser.locator(".columns h3:text('base')").wait_for()
    slowly.remove()
    browser.wait_for_timeout(1000)  # more than the rest of the answer takes
    assert len(whole(browser)) == 1
    assert browser.locator(".columns h3").all_inner_texts() == list(generator.names)
    browser.get_by_label("Talk to one").click()
    choose(browser, "Model", "base")
    browser.wait_for_function("document.querySelectorAll('.columns section').length == 1")
    browser.locator(".columns h3:text('base')").wait_for()
    assert whole(browser) == []


@pytest.mark.slow
def test_starting_again_ends_the_answer(slowly: Any, browser: Any) -> None:
    say(browser, QUESTION)
    browser.locator(".columns p.friend").wait_for()
    press(browser, "Start again")
    browser.locator(".columns[aria-busy=false] .nobody").wait_for()
    slowly.remove()
    assert whole(browser) == []
    browser.reload()
    assert whole(browser) == []
    assert len(ask(browser, "Hey.", answers=1)) == 1


@pytest.mark.slow
def test_numbers_at_the_edge(browser: Any) -> None:
    browser.get_by_role("button", name="Sampling").click()
    for heat in ("0", "1", "2"):
        set_number(browser, "number input for Temperature", heat)
        say(browser, QUESTION)
        browser.locator(".columns[aria-busy=false] p.you").wait_for()
        press(browser, "Start again")
        browser.locator(".columns p.nobody:text('Nothing was said yet.')").wait_for()
    set_number(browser, "Seed", "1e40")  # more than JSON has place for
    say(browser, QUESTION)
    browser.get_by_text("; it must be a whole number from 0 to 4294967295").wait_for()
    assert browser.get_by_placeholder("Say something").input_value() == QUESTION
    assert whole(browser) == []
    browser.reload()
    browser.locator(".columns").wait_for()
    browser.get_by_role("button", name="Sampling").click()
    assert browser.get_by_label("number input for Temperature").input_value() == "0.7"  # such a choice is none


@pytest.mark.slow
def test_what_fails_is_told(
    generator: TextGenerator, browser: Any, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    def answer(*_: object) -> None:
        raise KeyError("<i>odd</i>\nthing")

    monkeypatch.setattr(generator, "answer", answer)
    say(browser, QUESTION)
    browser.get_by_text("KeyError: '<i>odd</i>\\nthing'").wait_for()
    assert browser.get_by_placeholder("Say something").input_value() == QUESTION
    assert whole(browser) == []
    assert "a bug of ours" in capfd.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 390])
def test_a_long_question_leaves_the_page_in_sight(browser: Any, width: int) -> None:
    browser.set_viewport_size({"width": width, "height": 800})
    browser.get_by_placeholder("Say something").fill("word " * 600)
    browser.get_by_placeholder("Say something").press("End")
    assert browser.locator("#ask").bounding_box()["height"] < 240
    for name in ("Ask", "Stop", "Start again"):
        assert browser.get_by_role("button", name=name, exact=True).bounding_box()["height"] < 60
    assert browser.evaluate("document.documentElement.scrollWidth") <= width


JOIN, EVIL = "/gradio_api/queue/join", "http://evil.example"
SOCKET = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def request(address: str, method: str, path: str, headers: Mapping[str, str], body: Any = None) -> tuple[int, str, str]:
    """A request as it stands, `{host}` in its headers filled in: status, headers and the body's beginning."""
    host = urlsplit(address).netloc
    line = HTTPConnection(host, timeout=30)
    line.putrequest(method, path, skip_host=True)
    for name, value in {"Host": host, **headers}.items():
        line.putheader(name, value.replace("{host}", host))
    line.endheaders()
    with suppress(BrokenPipeError, ConnectionResetError):  # who was refused need not be heard to the end
        for part in body or ():
            line.send(part)
    answer = line.getresponse()
    came = answer.status, str(answer.headers).lower(), str(answer.read(2000) if answer.status != 200 else "")
    line.close()
    return came


@pytest.mark.attack("the page", "other names, origins and routes")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        pytest.param("GET", "/", {}, 200, id="the-page"),
        pytest.param("GET", "/", {"Host": "LocalHost:7860"}, 200, id="localhost"),
        pytest.param("GET", "/", {"Host": "[::1]:7860"}, 200, id="ipv6"),
        pytest.param("GET", "/config", {"Origin": "http://{host}"}, 200, id="own-origin"),
        pytest.param("GET", "/", {"Sec-Fetch-Site": "cross-site"}, 200, id="a-link-to-the-page"),
        pytest.param("GET", "/", {"Host": "evil.example"}, 403, id="rebinding"),
        pytest.param("GET", "/config", {"Host": "evil.example:80", "Origin": EVIL}, 403, id="rebinding-own-origin"),
        pytest.param("GET", "/", {"Host": "127.0.0.1.evil.example"}, 403, id="begins-like-us"),
        pytest.param("GET", "/", {"Host": "127.0.0.1@evil.example"}, 403, id="user"),
        pytest.param("GET", "/", {"Host": ""}, 403, id="no-name"),
        pytest.param("GET", "/", {"Host": "[::1"}, 403, id="half-an-address"),
        pytest.param("GET", "/", {"Host": "0.0.0.0:7860"}, 403, id="any-address"),
        pytest.param("GET", "/config", {"X-Forwarded-Host": "evil.example"}, 403, id="forwarded"),
        pytest.param("GET", "/config", {"X-Gradio-Server": EVIL}, 403, id="gradio-server"),
        pytest.param("POST", JOIN, {"Origin": EVIL, **FORM}, 403, id="cross-site-form"),
        pytest.param("POST", JOIN, {"Origin": "null", **FORM}, 403, id="sandboxed-form"),
        pytest.param("POST", JOIN, {"Origin": "http://127.0.0.1:1"}, 403, id="another-port"),
        pytest.param("POST", JOIN, {"Sec-Fetch-Site": "same-site"}, 403, id="same-site"),
        pytest.param("GET", "/config", {"Sec-Fetch-Site": "cross-site"}, 403, id="script-elsewhere"),
        pytest.param("OPTIONS", JOIN, {"Origin": EVIL, "Access-Control-Request-Method": "POST"}, 403, id="preflight"),
        pytest.param("OPTIONS", JOIN, {"Access-Control-Request-Method": "POST"}, 404, id="method"),
        pytest.param("POST", "/gradio_api/upload", {}, 404, id="upload"),
        pytest.param("GET", "/gradio_api/file=/etc/passwd", {}, 404, id="file"),
        pytest.param("GET", "/file=/etc/passwd", {}, 404, id="old-file"),
        pytest.param("GET", "/gradio_api/file/etc/passwd", {}, 404, id="file-folder"),
        pytest.param("GET", "/static/../config", {}, 404, id="dots"),
        pytest.param("GET", "/static/%2e%2e/%2e%2e/x", {}, 404, id="escaped-dots"),
        pytest.param("GET", "/monitoring", {}, 404, id="monitoring"),
        pytest.param("GET", "/monitoring/summary", {}, 404, id="monitoring-summary"),
        pytest.param("GET", "/openapi.json", {}, 404, id="openapi"),
        pytest.param("GET", "/gradio_api/openapi.json", {}, 404, id="openapi-of-the-api"),
        pytest.param("GET", "/docs", {}, 404, id="docs"),
        pytest.param("POST", "/gradio_api/run/predict", {}, 404, id="run"),
        pytest.param("POST", "/gradio_api/call/x", {}, 404, id="call"),
        pytest.param("GET", "/gradio_api/proxy=http://x.hf.space/", {}, 404, id="proxy"),
        pytest.param("GET", "/gradio_api/upload_progress?upload_id=1", {}, 404, id="progress"),
        pytest.param("POST", "/login", {}, 404, id="login"),
        pytest.param("HEAD", "/", {"Host": "LOCALHOST"}, 200, id="head"),
        pytest.param("GET", "/", {"Host": "localhost."}, 403, id="dot-at-the-end"),
        pytest.param("GET", "/", {"Host": "127.1:7860"}, 403, id="short-address"),
        pytest.param("GET", "/", {"Host": "2130706433"}, 403, id="address-as-a-number"),
        pytest.param("GET", "/", {"Host": "[::ffff:127.0.0.1]"}, 403, id="mapped-address"),
        pytest.param("GET", "/", {"Host": "localhost, evil.example"}, 403, id="two-names"),
        pytest.param("GET", "/", {"Host": "evil.example#127.0.0.1"}, 403, id="fragment"),
        pytest.param("GET", "/", {"Host": "localhost/@evil.example"}, 403, id="path-in-the-name"),
        pytest.param("GET", "/config", {"X-Forwarded-Host": "localhost, evil.example"}, 403, id="forwarded-twice"),
        pytest.param("POST", JOIN, {"Origin": "http://{host}@evil.example"}, 403, id="origin-with-a-user"),
        pytest.param("POST", JOIN, {"Origin": "http://{host}.evil.example"}, 403, id="origin-begins-like-us"),
        pytest.param("POST", JOIN, {"Origin": "file://"}, 403, id="origin-of-a-file"),
        pytest.param("POST", JOIN, {"Origin": "http://localhost"}, 403, id="origin-of-another-name"),
        pytest.param("POST", JOIN, {"Origin": ""}, 403, id="origin-empty"),
        pytest.param("POST", JOIN, {"Sec-Fetch-Site": "Cross-Site"}, 403, id="capitals"),
        pytest.param("GET", "/static//etc/passwd", {}, 404, id="whole-path-below-static"),
        pytest.param("GET", "/assets/%2Fetc/passwd", {}, 404, id="escaped-whole-path"),
        pytest.param("GET", "/assets/%5c..%5cx", {}, 404, id="backslashes"),
        pytest.param("GET", "/static/./x%00.js", {}, 404, id="nul"),
        pytest.param("GET", "//config", {}, 404, id="two-slashes"),
        pytest.param("GET", "/CONFIG", {}, 404, id="route-in-capitals"),
        pytest.param("PUT", JOIN, {}, 404, id="put"),
        pytest.param("TRACE", "/", {}, 404, id="trace"),
        pytest.param("DELETE", "/config", {}, 404, id="delete"),
        pytest.param("POST", "/", {}, 404, id="post-to-the-page"),
        pytest.param("POST", JOIN + "/", {}, 404, id="join-with-a-slash"),
        pytest.param("GET", "/gradio_api/heartbeat/" + "s" * 65, {}, 404, id="long-session"),
        pytest.param("GET", JOIN, SOCKET, 404, id="websocket"),
        pytest.param("GET", "/", SOCKET | {"Host": "evil.example"}, 403, id="websocket-of-another-name"),
        pytest.param("POST", JOIN, {"Content-Length": "4000001"}, 413, id="too-large"),
        pytest.param("POST", JOIN, {"Content-Length": "9" * 19}, 413, id="absurdly-large"),
    ],
)
def test_only_the_page_itself_is_answered(
    address: str, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    came, answered, _ = request(address, method, path, headers)
    assert came == status
    assert "access-control" not in answered
    assert "frame-ancestors 'none'" in answered


@pytest.mark.attack("the page", "requests that are none")
@pytest.mark.slow
@pytest.mark.parametrize(
    "sent",
    [
        pytest.param("POST {join} HTTP/1.1\r\nHost: {host}\r\nContent-Length: -5\r\n\r\n", id="length-below-zero"),
        pytest.param("POST {join} HTTP/1.1\r\nHost: {host}\r\nContent-Length: +5\r\n\r\n", id="length-with-a-sign"),
        pytest.param("POST {join} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", id="two-lengths"),
        pytest.param("POST {join} HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n", id="chunk-below-zero"),
        pytest.param("POST {join} HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n", id="chunk-without-end"),
        pytest.param("POST {join} HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", id="coding"),
        pytest.param("GET / HTTP/1.1\r\nHost: {host}\r\nCookie: {long}\r\n\r\n", id="long-header"),
        pytest.param("GET /{long} HTTP/1.1\r\nHost: {host}\r\n\r\n", id="long-address"),
        pytest.param("GET / HTTP/1.1\r\n\r\n", id="no-host"),
        pytest.param("GET / HTTP/1.0\r\n\r\n", id="no-host-of-old"),
        pytest.param("GET / HTTP/1.1\r\nHost: {host}\r\nHost: evil.example\r\n\r\n", id="two-hosts"),
        pytest.param("GET / HTTP/1.1\r\nHost : {host}\r\n\r\n", id="blank-before-the-colon"),
        pytest.param("GET http://evil.example/config HTTP/1.1\r\nHost: {host}\r\n\r\n", id="address-of-another-site"),
        pytest.param("CONNECT evil.example:443 HTTP/1.1\r\nHost: {host}\r\n\r\n", id="as-a-proxy"),
        pytest.param("GET *", id="no-line"),
        pytest.param("\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", id="tls"),
    ],
)  # fmt: skip
def test_what_is_no_request_gets_a_4xx_or_nothing(address: str, sent: str) -> None:
    place = urlsplit(address)
    filled = sent.format(join=JOIN, host=place.netloc, long="x" * 200_000).encode("latin-1")
    with socket.create_connection((str(place.hostname), place.port or 80), timeout=30) as line:
        with suppress(OSError):  # it hung up before the end
            line.sendall(filled)
            line.shutdown(socket.SHUT_WR)
        came = b""
        with suppress(ConnectionResetError):
            came = line.recv(100)
    assert came == b"" or came.startswith(b"HTTP/1.1 4"), came
    assert request(address, "GET", "/config", {})[0] == 200


@pytest.mark.attack("the page", "bodies too large or too slow")
@pytest.mark.slow
@pytest.mark.parametrize("path", [pytest.param(JOIN, id="question"), pytest.param("/gradio_api/upload", id="upload")])
@pytest.mark.parametrize("announced", [True, False])
def test_300_megabytes_are_refused(address: str, path: str, announced: bool) -> None:
    piece, before = b"x" * 1_000_000, peak()
    chunk = piece if announced else b"%x\r\n%s\r\n" % (len(piece), piece)
    headers = {"Content-Length": "300000000"} if announced else {"Transfer-Encoding": "chunked"}
    came, _, _ = request(address, "POST", path, headers, (chunk for _ in range(300)))
    assert came in (404, 413)
    assert peak() - before < 50_000
    assert request(address, "GET", "/", {})[0] == 200


def peak() -> int:
    """Of this process, in kB."""
    return getrusage(RUSAGE_SELF).ru_maxrss


@pytest.mark.attack("the page", "too many requests")
@pytest.mark.slow
def test_requests_at_once_are_limited(address: str) -> None:
    host = urlsplit(address).netloc
    lines = [HTTPConnection(host, timeout=30) for _ in range(MOST_AT_ONCE + 5)]
    for number, line in enumerate(lines):
        line.request("GET", f"/gradio_api/heartbeat/s{number}")
    came = [line.getresponse().status for line in lines]
    for line in lines:
        line.close()
    assert came.count(429) in range(5, 8)  # of the browsers' own
    assert came.count(200) == len(lines) - came.count(429)
    for _ in range(50):
        if request(address, "GET", "/config", {})[0] == 200:
            return
        time.sleep(0.2)
    pytest.fail("the page answers nobody any more")


@pytest.mark.attack("the page", "bodies too large or too slow")
def test_a_body_that_never_ends_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "SLOWEST", 0.05)

    async def receive() -> Any:
        await asyncio.sleep(0.02)
        return {"type": "http.request", "body": b"x", "more_body": True}

    with pytest.raises(guard.Refused, match="slow"):
        asyncio.run(guard.whole_body(receive))


@pytest.mark.attack("the page", "other names, origins and routes")
@pytest.mark.parametrize(
    ("public", "host", "fits"),
    [
        pytest.param("https://abc.gradio.live", "abc.gradio.live", True, id="shared"),
        pytest.param("https://abc.gradio.live", "xyz.gradio.live", False, id="anothers"),
        pytest.param(None, "abc.gradio.live", False, id="not-shared"),
        pytest.param(None, "", False, id="nobody"),
    ],
)
def test_a_shared_page_has_one_more_name(public: str | None, host: str, fits: bool) -> None:
    async def asked() -> int:
        sent: list[Any] = []

        async def page(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})

        async def receive() -> Any:
            return {"type": "http.request"}

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [(b"host", host.encode()), (b"origin", f"https://{host}".encode())]
        scope = {"type": "http", "path": "/", "method": "GET", "headers": headers}
        await guard.Guard(page, lambda: public)(scope, receive, send)
        return int(sent[0]["status"])

    assert asyncio.run(asked()) == (200 if fits else 403)


@pytest.mark.parametrize("port", [pytest.param(-1, id="none"), pytest.param(99999, id="too-large")])
def test_a_port_that_is_none(port: int) -> None:
    with pytest.raises(InputError, match=f"--port {port} cannot be used"):
        free_port(port)
