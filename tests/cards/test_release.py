"""The core of both publishers: what may leave the machine; one commit and one tag under every fault."""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import chain, product
from pathlib import Path
from typing import Any

import pytest
from hub.stand_in import StandIn
from huggingface_hub import HfApi
from publisher import NUMBERS, OTHER, TOKEN, Publisher, content, files
from real import PAGES, needs_pages

from cards.hub.client import Patience, Repo
from cards.hub.files import ReleaseError, check_secrets, machine_places, outgoing, read_outgoing
from cards.hub.release import Release, connect, open_repo, publishing, put_release, repo_id


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """One stand-in for all tests here; each has repos and users of its own."""
    with StandIn(tmp_path_factory.mktemp("hub") / "hub", page_size=3) as running:
        running.add_user("ana", TOKEN, orgs=["band"])
        running.add_user("bob", OTHER)
        yield running


@pytest.fixture
def hub(server: StandIn, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """Without faults, and for clients in this process: LFS, no waiting inside the client."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    server.clear_log()
    yield server
    server.clear_faults()


@pytest.fixture
def ana(hub: StandIn) -> Publisher:
    """Ana's publisher to a repo that nobody else uses."""
    return Publisher(hub, f"ana/lines-{next(NUMBERS)}")


# --- what may leave the machine --------------------------------------------------------------------------------------


@pytest.mark.attack("secrets and text", "secrets and paths in what leaves")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(b"a\nsee " + TOKEN.encode(), "x.json: line 2 holds the token in use", id="token"),
        pytest.param(b"\0\0" + TOKEN.encode(), "x.json: byte 2 holds the token in use", id="token-in-binary"),
        pytest.param(b"key=" + OTHER.encode(), "line 1 holds what looks like a token", id="other-token"),
        pytest.param(b'{"p": "/home/ana"}', "holds a path of this machine (/home/ana)", id="home"),
        pytest.param(b"/home/ana/x", "holds a path of this machine (/home/ana)", id="below-home"),
        pytest.param(b"open('/tmp/x')", "holds a path of this machine (/tmp)", id="temporary"),
        *(
            pytest.param(f"/home/ana{after}".encode(), "holds a path of this machine", id=f"path-before-{after!r}")
            for after in (
                "",
                ".",
                "<",
                "|",
                "`",
                "*",
                "#",
                "?",
                "&",
                "%",
                "=",
                "-",
                "\0",
                "\t",
                "’",
                "…",
                "»",
                "\u3000",
            )
        ),
        pytest.param(b"/home/ana\xff", "holds a path of this machine", id="path-before-no-text"),
        pytest.param("/home/ana/x".encode("utf-16-le"), "byte 0 holds a path of this machine", id="path-utf-16"),
        pytest.param(b"file:%2Fhome%2Fana%2Fx", "holds a path of this machine", id="path-in-an-address"),
        pytest.param(rb'"\/home\/ana\/x"', "holds a path of this machine", id="path-in-json"),
        pytest.param("/home/anaïs, /home/ana_b, /home/ana2".encode(), None, id="others-paths"),
        pytest.param(b"/home/anabel, hf_short and tmp/x", None, id="nothing"),
        pytest.param(
            b"xoxo-gossip-girl-and-others, desk-admin-and-many-other-words, glass-half-full-kind-of-person",
            None,
            id="words",
        ),
        pytest.param(b"this machine can login and the password is swordfish; default password", None, id="dialogue"),
    ],
)
def test_secrets(text: bytes, message: str | None) -> None:
    send = [outgoing("x.json", text)]
    if message is None:
        check_secrets(send, TOKEN, ["/home/ana", "/tmp"])
        return
    with pytest.raises(ReleaseError) as caught:
        check_secrets(send, TOKEN, ["/home/ana", "/tmp"])
    assert message in str(caught.value)
    assert TOKEN not in str(caught.value)
    assert OTHER not in str(caught.value)


A36, UPPER, DIGITS = "a1B2c3D4e5F6" * 3, "A1B2C3D4E5F6G7H8", "123456789012"
SECRETS = [  # made up, and put together here: as one text they would alarm others
    pytest.param("hf" + "_" + "abCDefGHij" * 4, id="hub"),
    pytest.param("AK" + "IA" + UPPER, id="aws"),
    pytest.param("AS" + "IA" + UPPER, id="aws-temporary"),
    pytest.param("aws_secret_access" + "_key = " + "aB3/" * 10, id="aws-secret"),
    pytest.param('"SecretAccess' + 'Key": "' + "aB3/" * 10, id="aws-secret-as-its-client-writes-it"),
    pytest.param("secret" + '_key = "' + "aB3/" * 10, id="aws-secret-of-terraform"),
    pytest.param("gh" + "p_" + A36, id="github"),
    pytest.param("1//" + "0e" + A36 + A36, id="google-refresh"),
    pytest.param("sk" + "-ant-oat01-" + A36 + "-_" + A36, id="anthropic-oauth"),
    pytest.param("ey" + "J" + A36 + ".." + A36[:16] + "." + A36 + "." + A36, id="jwt-encrypted"),
    pytest.param("HTTPS://ana:" + "secret@hub.example/x", id="address-in-capitals"),
    pytest.param("https:\\/\\/ana:" + "secret@hub.example/x", id="address-in-json"),
    pytest.param("rediss://:" + "secret@[::1]:6379", id="address-without-user"),
    pytest.param("-----BEGIN ENCRYPTED " + "PRIVATE KEY-----", id="key-encrypted"),
    pytest.param("machine\thub.example\tlogin\tana\taccount x\tpassword\t" + A36[:8], id="netrc-tabs"),
    pytest.param("gh" + "s_" + A36, id="github-server"),
    pytest.param("github" + "_pat_" + A36 + "_" + A36, id="github-fine-grained"),
    pytest.param("gl" + "pat-" + A36[:20], id="gitlab"),
    pytest.param("sk" + "-" + A36 + A36[:12], id="openai"),
    pytest.param("sk" + "-proj-" + A36 + "_-" + A36, id="openai-project"),
    pytest.param("sk" + "-ant-api03-" + A36 + "-_" + A36, id="anthropic"),
    pytest.param("xo" + f"xb-{DIGITS}-{DIGITS}-" + A36[:24], id="slack"),
    pytest.param("xo" + f"xp-{DIGITS}-" + A36[:24], id="slack-user"),
    pytest.param("xa" + f"pp-1-A0{DIGITS}-" + A36, id="slack-app"),
    pytest.param("hooks.slack" + f".com/services/T{DIGITS}/B{DIGITS}/" + A36[:24], id="slack-webhook"),
    pytest.param("AI" + "za" + A36[:35], id="google"),
    pytest.param("ya" + "29.a0" + A36, id="google-oauth"),
    pytest.param("GO" + "CSPX-" + A36[:28], id="google-client"),
    pytest.param("-----BEGIN " + "PRIVATE KEY-----", id="key"),
    pytest.param("-----BEGIN OPENSSH " + "PRIVATE KEY-----", id="key-of-ssh"),
    pytest.param("-----BEGIN PGP " + "PRIVATE KEY BLOCK-----", id="key-of-pgp"),
    pytest.param("machine hub.example\n  login ana\n  password " + A36[:8], id="netrc"),
    pytest.param("machine hub.example password " + A36[:8] + " login ana", id="netrc-turned"),
    pytest.param("default login ana password " + A36[:8], id="netrc-default"),
    pytest.param("ey" + "J" + A36 + ".ey" + "J" + A36 + "." + A36, id="jwt"),
    pytest.param("https://ana:" + "secret@hub.example/x", id="address"),
    pytest.param("npm" + "_" + A36, id="npm"),
    pytest.param("py" + "pi-AgE" + A36, id="pypi"),
    pytest.param("sk" + "_live_" + A36, id="stripe"),
]


@pytest.mark.attack("secrets and text", "shapes of secrets, in all encodings")
@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "written",
    [
        pytest.param(lambda text: f"one\nkey = {text}\n".encode(), id="alone"),
        pytest.param(lambda text: f"my{text}".encode(), id="glued"),
        pytest.param(lambda text: f"’{text}’".encode(), id="quoted"),
        pytest.param(lambda text: json.dumps({"text": f"see {text}\n"}).encode(), id="json"),
        pytest.param(lambda text: f"’k={text}".encode("utf-16-le"), id="utf-16-le"),
        pytest.param(lambda text: f"’k={text}".encode("utf-16-be"), id="utf-16-be"),
        pytest.param(lambda text: f"\ufeffk={text}".encode("utf-32"), id="utf-32"),
        pytest.param(lambda text: b"\x93NUMPY\xff\xfe" + text.encode() + b"\xff", id="binary"),
    ],
)
def test_shapes_of_secrets(secret: str, written: Callable[[str], bytes]) -> None:
    with pytest.raises(ReleaseError, match=r"line \d holds|byte \d+ holds") as caught:
        check_secrets([outgoing("x", written(secret))], TOKEN, [])
    assert secret not in str(caught.value)


def test_the_samples_hold_no_secrets() -> None:
    pages = (
        Path("friends_corpus/sample").glob("*"),
        Path("tests/harbour_lights").rglob("*"),
        Path("tests/pages").glob("*"),
    )
    files = [outgoing(path.name, path.read_bytes()) for path in chain(*pages) if path.is_file()]
    assert len(files) > 20
    check_secrets(files, TOKEN, ["/home/ana", "/work"])


@needs_pages
def test_real_dialogue_holds_no_secrets() -> None:
    check_secrets((outgoing(path.name, path.read_bytes()) for path in PAGES.glob("*.html")), TOKEN, ["/home/ana"])


def test_random_bytes_and_digests_hold_no_secrets() -> None:
    noise = random.Random(1).randbytes(4_000_000)
    check_secrets(
        [outgoing("x", noise), outgoing("y", noise.hex().encode()), outgoing("z", b64encode(noise))], TOKEN, []
    )


@pytest.mark.attack("secrets and text", "passwords in addresses")
def test_no_password_of_an_endpoint_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        open_repo(connect("http://ana:" + "sesame@127.0.0.1:9", "hf_x"), "ana/x", "dataset", Patience(tries=1))

    assert publishing(work, "see http://ana:" + "sesame@127.0.0.1:9") == 1
    told = capsys.readouterr()
    assert "sesame" not in told.out + told.err
    assert "***@127.0.0.1:9" in told.err


def test_places_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/somebody")
    found = machine_places(Path("elsewhere/friends-lines"))
    assert found >= {"/home/somebody", str(tmp_path), str(tmp_path / "elsewhere"), sys.prefix}
    assert all(len(place) > 3 for place in found)


def test_places_of_a_machine_without_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    assert str(tmp_path) in machine_places(tmp_path / "friends-lines")


@pytest.mark.attack("publish faults", "names that are none")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("a b.txt", "cannot publish the name 'a b.txt'", id="blank"),
        pytest.param(".env", "cannot publish the name '.env'", id="hidden"),
        pytest.param("x/../y", "cannot publish the name 'x/../y'", id="dots"),
        pytest.param("a\n.txt", "cannot publish the name", id="newline"),
        pytest.param("n" * 82, "cannot publish the name", id="long"),
        pytest.param("link.txt", "link.txt is a link; put a copy", id="link"),
        pytest.param("folder-link/a.txt", "folder-link is a link", id="link-to-a-folder"),
        pytest.param("folder", "folder is no file", id="folder"),
        pytest.param("gone.txt", "gone.txt: No such file", id="missing"),
    ],
)
def test_names(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.txt").write_text("a")
    (tmp_path / "link.txt").symlink_to("/etc/hostname")
    (tmp_path / "folder-link").symlink_to("folder")
    assert [file.path for file in read_outgoing(tmp_path, ["folder/a.txt"])] == ["folder/a.txt"]
    with pytest.raises(ReleaseError) as caught:
        read_outgoing(tmp_path, [name])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("good", ["ana/friends-lines", "friends-lines", "Ana.B/x_1", "a/b"])
def test_repo_ids(good: str) -> None:
    assert repo_id(good) == good


@pytest.mark.parametrize(
    "bad", ["", "/x", "x/", "a/b/c", "a b", "a--b", "a/b.git", "a..b", "-a/b", "ana/x-", "é", "a/b\n"]
)
def test_bad_repo_ids(bad: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is no repo id; write USER/NAME"):
        repo_id(bad)


# --- patience --------------------------------------------------------------------------------------------------------


def answered(status: int, **headers: str) -> Exception:
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError

    named = {name.replace("_", "-"): value for name, value in headers.items()}
    reply = httpx2.Response(status, headers=named, request=httpx2.Request("GET", "http://hub/x"))
    return HfHubHTTPError("no", response=reply)


def test_waits() -> None:
    patience = Patience(tries=5, longest=6, longest_asked=100, chance=lambda: 1.0)
    assert [patience.wait(tried, answered(503)) for tried in range(1, 6)] == [1, 2, 4, 6, None]
    assert patience.wait(1, answered(429, Retry_After="7")) == 8  # asked, and a little more
    assert patience.wait(1, answered(503, Retry_After="0")) == 1
    assert patience.wait(1, answered(429, Retry_After="101")) is None
    assert patience.wait(1, answered(429, RateLimit='"api";r=0;t=12')) == 13
    assert patience.wait(1, answered(429, RateLimit='"api";r=5;t=12')) == 1
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    assert 30 < (patience.wait(1, answered(429, Retry_After=soon)) or 0) <= 61
    assert Patience(chance=lambda: 0.0).wait(1, answered(503)) == 0.5


@pytest.mark.attack("publish faults", "a Hub that stays down or silent")
def test_a_long_retry_after_ends_the_command(hub: StandIn, ana: Publisher) -> None:
    hub.fault("POST .*/commit/", status=429, headers={"Retry-After": "3600"}, times=1)
    with pytest.raises(ReleaseError, match="still answers 429"):
        ana()
    assert ana.waits == []


# --- one release -----------------------------------------------------------------------------------------------------


def test_one_commit_one_tag_and_the_second_time_nothing(ana: Publisher) -> None:
    commit = ana()
    assert ana.commits() == ["Release v1.0.0"]
    assert ana.hub.tags("dataset", ana.name) == {"v1.0.0": commit}
    assert ana.held("v1.0.0") == content("one")
    assert ana.hub.visibility("dataset", ana.name) == "private"
    ana.hub.clear_log()
    assert ana() == commit
    assert ana.sent() == []


def test_a_name_alone_is_in_the_own_namespace(hub: StandIn, ana: Publisher) -> None:
    named = Publisher(hub, ana.name.removeprefix("ana/"))
    named()
    assert ana.commits() == ["Release v1.0.0"]


def test_adds_changes_and_deletes_are_one_commit(ana: Publisher, capsys: pytest.CaptureFixture[str]) -> None:
    ana()
    api = HfApi(endpoint=ana.hub.url, token=TOKEN)
    api.upload_file(path_or_fileobj=b"old", path_in_repo="lines/old.txt", repo_id=ana.name, repo_type="dataset")
    api.upload_file(path_or_fileobj=b"*.x lfs", path_in_repo=".gitattributes", repo_id=ana.name, repo_type="dataset")
    before = len(ana.commits())
    capsys.readouterr()
    ana("two", "v1.1.0")
    printed = capsys.readouterr().out
    assert "change    lines/train.parquet, 1,509 → 1,509 bytes" in printed
    assert "delete    lines/old.txt, 3 bytes" in printed
    assert "README.md" not in printed
    assert ana.commits()[before:] == ["Release v1.1.0"]
    assert ana.held() == content("two")
    assert ana.held("v1.0.0") == content("one")
    assert ana.hub.files("dataset", ana.name)[".gitattributes"] == b"*.x lfs"


def test_other_content_under_a_tag_is_refused(ana: Publisher) -> None:
    ana()
    with pytest.raises(ReleaseError, match=r"v1.0.0 is there with other content, .* choose another --version"):
        ana("two")
    assert ana.commits() == ["Release v1.0.0"]
    assert ana.held() == content("one")


def test_the_same_content_under_another_tag_needs_no_commit(ana: Publisher) -> None:
    commit = ana()
    assert ana(tag="v1.0.1") == commit
    assert ana.hub.tags("dataset", ana.name) == {"v1.0.0": commit, "v1.0.1": commit}
    assert ana.commits() == ["Release v1.0.0"]


def test_a_dry_run_changes_nothing(ana: Publisher, capsys: pytest.CaptureFixture[str]) -> None:
    assert ana(dry_run=True) is None
    assert "not there yet, to be private\nadd       README.md" in capsys.readouterr().out
    assert ana.hub.visibility("dataset", ana.name) is None
    ana()
    ana.hub.clear_log()
    assert ana("two", "v2.0.0", dry_run=True) is None
    printed = capsys.readouterr().out
    assert "change    manifest.json, 15 → 15 bytes" in printed
    assert "tag       v2.0.0\ndry run   nothing was changed" in printed
    assert ana.sent() == []


@pytest.mark.attack("publish faults", "repos of others")
def test_what_is_not_ours_is_not_replaced(ana: Publisher) -> None:
    api = HfApi(endpoint=ana.hub.url, token=TOKEN)
    api.create_repo(ana.name, repo_type="dataset", private=True)
    api.upload_file(path_or_fileobj=b"mine", path_in_repo="thesis.txt", repo_id=ana.name, repo_type="dataset")
    with pytest.raises(ReleaseError, match=r"holds 'thesis.txt' and no manifest.json"):
        ana()
    assert ana.held() == {"thesis.txt": b"mine"}


def test_no_release_is_empty_or_huge(hub: StandIn, ana: Publisher) -> None:
    repo = Repo(HfApi(endpoint=hub.url, token=TOKEN), ana.name, "dataset", Patience())
    for number in (0, 201):
        with pytest.raises(ReleaseError, match=f"{number} files; a release has at most 200"):
            put_release(repo, Release([outgoing(f"{i}.txt", b"x") for i in range(number)], "v1", "manifest.json"))
    assert hub.visibility("dataset", ana.name) is None


# --- who may see it --------------------------------------------------------------------------------------------------


def test_a_public_repo_is_refused_without_public(ana: Publisher) -> None:
    HfApi(endpoint=ana.hub.url, token=TOKEN).create_repo(ana.name, repo_type="dataset", private=False)
    with pytest.raises(ReleaseError, match="is public; add --public to publish there, or make it private at http"):
        ana()
    assert ana.commits() == []
    assert ana(public=True)
    assert ana.commits() == ["Release v1.0.0"]


def test_public_comes_last(ana: Publisher) -> None:
    ana.hub.fault("GET .*/tree/", status=403, skip=1)  # the look at the tag afterwards
    with pytest.raises(ReleaseError):
        ana(public=True)
    assert ana.commits() == ["Release v1.0.0"]
    assert ana.hub.visibility("dataset", ana.name) == "private"
    ana.hub.clear_faults()
    ana(public=True)
    assert ana.hub.visibility("dataset", ana.name) == "public"
    assert ana.commits() == ["Release v1.0.0"]


@pytest.mark.parametrize(
    ("typed", "message"), [("yes\n", "not confirmed; nothing was changed"), (None, "--public needs --yes where nobody")]
)
def test_public_asks(ana: Publisher, monkeypatch: pytest.MonkeyPatch, typed: str | None, message: str) -> None:
    terminal = io.StringIO(typed or "")
    monkeypatch.setattr(terminal, "isatty", lambda: typed is not None)
    monkeypatch.setattr("sys.stdin", terminal)
    repo = open_repo(HfApi(endpoint=ana.hub.url, token=TOKEN), ana.name, "dataset", Patience())
    with pytest.raises(ReleaseError, match=message):
        put_release(repo, Release(files(), "v1.0.0", "manifest.json"), public=True)
    assert ana.hub.visibility("dataset", ana.name) is None


def test_public_is_confirmed_by_the_repo_id(ana: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO(f"{ana.name}\n")
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", terminal)
    repo = open_repo(HfApi(endpoint=ana.hub.url, token=TOKEN), ana.name, "dataset", Patience())
    assert put_release(repo, Release(files(), "v1.0.0", "manifest.json"), public=True)


# --- who may write ---------------------------------------------------------------------------------------------------


def test_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    with pytest.raises(ReleaseError, match=r"no token for the Hub; make one with write access at .*/settings/tokens"):
        connect()


def test_an_address_without_https(capsys: pytest.CaptureFixture[str]) -> None:
    connect("http://127.0.0.1:9", TOKEN)
    assert capsys.readouterr().err == ""
    connect("http://hub.example", TOKEN)
    assert "not https" in capsys.readouterr().err


def test_a_wrong_token_is_not_tried_again(hub: StandIn) -> None:
    someone = Publisher(hub, "x", "hf_" + "nobody" * 6)
    with pytest.raises(ReleaseError, match=r"ask who you are: the Hub does not accept the token \(401\); make one"):
        someone()
    assert someone.waits == []
    assert len(hub.log()) == 1


@pytest.mark.attack("publish faults", "tokens")
@pytest.mark.parametrize(
    ("role", "repos", "target", "message"),
    [
        pytest.param("read", [], "{user}/new", "cannot create it: the token may only read; make one", id="read"),
        pytest.param("read", [], "band/old", r"forbidden \(403\): the token lacks the permission", id="read-old"),
        pytest.param("fine", ["band/x"], "{user}/new", r"create: forbidden \(403\): the token lacks", id="fine-create"),
        pytest.param("fine", ["band/x"], "band/old", r"create: forbidden \(403\)", id="fine-unseen"),
        pytest.param("fine", ["band/x"], "band/seen", r"check write access: forbidden \(403\)", id="fine-seen"),
        pytest.param("write", [], "nobody/new", "and not in nobody; publish to {user}/…", id="namespace"),
    ],
)
def test_permissions(hub: StandIn, role: str, repos: list[str], target: str, message: str) -> None:
    user = f"user{next(NUMBERS)}"
    token = "hf_" + user + "x" * 30
    hub.add_user(user, token, role=role, repos=repos, orgs=["band"])
    api = HfApi(endpoint=hub.url, token=TOKEN)
    api.create_repo("band/old", repo_type="dataset", private=True, exist_ok=True)
    api.create_repo("band/seen", repo_type="dataset", private=False, exist_ok=True)
    hub.clear_log()
    someone = Publisher(hub, target.format(user=user), token)
    with pytest.raises(ReleaseError, match=message.format(user=user)) as caught:
        someone()
    assert token not in str(caught.value)
    assert someone.waits == []
    assert [entry for entry in someone.sent() if "repos/create" not in entry] == []


def test_a_fine_token_that_lists_the_repo(hub: StandIn, ana: Publisher) -> None:
    token = "hf_" + "fine" * 9
    hub.add_user("dan", token, role="fine", repos=["band/mine"], orgs=["band"])
    HfApi(endpoint=hub.url, token=TOKEN).create_repo("band/mine", repo_type="dataset", private=True)
    assert Publisher(hub, "band/mine", token)()


@pytest.mark.attack("publish faults", "tokens")
def test_a_token_that_expires_midway(hub: StandIn, ana: Publisher) -> None:
    token = "hf_" + "short" * 7
    hub.add_user("eve", token)
    hub.expire_after(token, r"POST .*/objects/batch")
    eve = Publisher(hub, "eve/lines", token)
    with pytest.raises(ReleaseError, match=r"commit: the Hub does not accept the token \(401\)"):
        eve()
    assert (eve.waits, eve.commits()) == ([], [])
    hub.add_user("eve", "hf_" + "fresh" * 7)
    hub.clear_log()
    again = Publisher(hub, "eve/lines", "hf_" + "fresh" * 7)
    again()
    assert again.commits() == ["Release v1.0.0"]
    assert not [entry for entry in hub.log() if entry.method == "PUT"]


def test_a_refused_commit_is_not_repeated(ana: Publisher) -> None:
    bad = [file for file in files() if file.path != "README.md"]
    bad.append(outgoing("README.md", b"---\nlanguage: [en\n---\n"))
    waits: list[float] = []
    repo = open_repo(HfApi(endpoint=ana.hub.url, token=TOKEN), ana.name, "dataset", Patience(sleep=waits.append))
    with pytest.raises(ReleaseError, match="commit: "):
        put_release(repo, Release(bad, "v1.0.0", "manifest.json"))
    assert (waits, ana.commits()) == ([], [])
    assert not [entry for entry in ana.hub.log() if entry.method == "PUT"]  # before any byte moved


# --- faults ----------------------------------------------------------------------------------------------------------

ENDPOINTS = {
    "whoami": "GET /api/whoami-v2",
    "info": "GET /api/datasets/[^/]+/[^/]+$",
    "write-access": "GET .*/auth-check/write",
    "create": "POST /api/repos/create",
    "refs": "GET .*/refs",
    "tree": "GET .*/tree/",
    "tag-info": "GET .*/revision/v1",
    "validate-yaml": "POST /api/validate-yaml",
    "preupload": "POST .*/preupload/",
    "batch": "POST .*/objects/batch",
    "upload": "PUT /",
    "verify": "POST .*/objects/verify",
    "commit": "POST .*/commit/",
    "tag": "POST .*/tag/",
    "settings": "PUT .*/settings",
    "resolve-head": "HEAD .*/resolve/",
    "resolve-get": "GET .*/resolve/",
    "stored": "GET /(?!api|datasets|_)",
}
KINDS: dict[str, dict[str, Any]] = {
    "503": {"status": 503},
    "500x2": {"status": 500, "times": 2},
    "429": {"status": 429, "headers": {"Retry-After": "3"}},
    "reset": {"action": "reset"},
    "lost": {"action": "lost"},
    "truncate": {"action": "truncate"},
}
CASES = list(product(ENDPOINTS, KINDS))
SUBSET = set(random.Random(int(os.environ.get("FAULT_SEED", "4"))).sample(CASES, 24)) | {
    (endpoint, kind) for endpoint in ("commit", "create", "tag") for kind in ("503", "lost")
}


def publish_and_fetch(publisher: Publisher, folder: Path) -> None:
    """All that the commands do, but for loading with `datasets`."""
    publisher(public=True)
    api = HfApi(endpoint=publisher.hub.url, token=TOKEN)
    repo = Repo(api, publisher.name, "dataset", Patience(sleep=publisher.waits.append))
    fetched = Path(repo.download("v1.0.0", str(folder)))
    assert {file.path: (fetched / file.path).read_bytes() for file in files()} == content("one")


@pytest.mark.attack("publish faults", "one fault at any request")
@pytest.mark.parametrize(
    ("endpoint", "kind"),
    [
        pytest.param(*case, id="-".join(case), marks=() if case in SUBSET else (pytest.mark.soak, pytest.mark.slow))
        for case in CASES
    ],
)
def test_one_fault(hub: StandIn, ana: Publisher, tmp_path: Path, endpoint: str, kind: str) -> None:
    """Exactly one commit, nothing lost, and a second publish adds no commit and uploads no byte."""
    if endpoint == "write-access":  # asked of a repo that is there
        HfApi(endpoint=hub.url, token=TOKEN).create_repo(ana.name, repo_type="dataset", private=True)
    hub.fault(ENDPOINTS[endpoint], **KINDS[kind])
    publish_and_fetch(ana, tmp_path / "first")
    assert hub.faults_left() == 0
    assert ana.commits() == ["Release v1.0.0"]
    assert list(hub.tags("dataset", ana.name)) == ["v1.0.0"]
    assert ana.held("v1.0.0") == ana.held() == content("one")
    assert hub.visibility("dataset", ana.name) == "public"
    assert sum(ana.waits) < 60
    hub.clear_log()
    publish_and_fetch(ana, tmp_path / "second")
    assert ana.sent() == []


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(60))
def test_several_faults(hub: StandIn, ana: Publisher, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(chance.randint(2, 5)):
        hub.fault(ENDPOINTS[chance.choice(list(ENDPOINTS))], **chance.choice(list(KINDS.values())))
    publish_and_fetch(ana, tmp_path / "first")
    assert ana.commits() == ["Release v1.0.0"]
    assert ana.held("v1.0.0") == ana.held() == content("one")


XET = """
import sys
from types import SimpleNamespace
from publisher import Publisher
publisher = Publisher(SimpleNamespace(url=sys.argv[1]), sys.argv[2])
publisher()
publisher()
"""


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("endpoint", ["GET .*/xet-write-token", "POST .*/preupload/", "POST .*/commit/"])
def test_one_fault_with_xet(hub: StandIn, ana: Publisher, tmp_path: Path, endpoint: str, kind: str) -> None:
    """As users have it: uploads by hf_xet, which has a process of its own here, as its local store is locked."""
    hub.fault(endpoint, **KINDS[kind])
    here = Path(__file__).parents[1]
    environment = hub.environment(tmp_path / "hf", None, xet=True) | {"PYTHONPATH": f"{here}:{here.parent}"}
    done = subprocess.run(
        [sys.executable, "-c", XET, hub.url, ana.name], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert hub.faults_left() == 0
    assert ana.commits() == ["Release v1.0.0"]
    assert ana.held("v1.0.0") == content("one")
    assert len([entry for entry in hub.log() if "/xet-write-token" in entry.path and entry.status == 200]) >= 1


@pytest.mark.attack("publish faults", "other publishers at once")
@pytest.mark.parametrize("status", [409, 412])
def test_a_commit_that_another_one_disturbs(ana: Publisher, status: int) -> None:
    ana.hub.fault("POST .*/commit/", status=status, times=2)
    ana()
    assert ana.commits() == ["Release v1.0.0"]
    assert ana.waits == [0.75, 1.5]


@pytest.mark.attack("publish faults", "a Hub that stays down or silent")
def test_a_hub_that_stays_down(ana: Publisher) -> None:
    ana.hub.fault("POST .*/commit/", times=99)
    with pytest.raises(ReleaseError, match="commit: the Hub still answers 503 after 8 tries; run the same command"):
        ana()
    assert len(ana.waits) == 7
    ana.hub.clear_faults()
    ana.hub.clear_log()
    ana()
    assert ana.commits() == ["Release v1.0.0"]
    assert not [entry for entry in ana.hub.log() if entry.method == "PUT"]  # what was stored is not sent again


@pytest.mark.attack("publish faults", "a Hub that stays down or silent")
def test_a_hub_that_says_nothing(ana: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cards.hub.client.TIMEOUT", 1.0)
    ana.hub.fault("POST .*/commit/", "hang")
    ana()
    assert ana.commits() == ["Release v1.0.0"]
    assert ana.waits  # a busy machine may need more than one


def test_no_hub(tmp_path: Path) -> None:
    waits: list[float] = []
    api = HfApi(endpoint="http://127.0.0.1:9", token=TOKEN)
    with pytest.raises(ReleaseError, match=r"no answer after 3 tries \(ConnectError: .*check the connection"):
        open_repo(api, "x", "dataset", Patience(tries=3, sleep=waits.append))
    assert len(waits) == 2


def test_a_tag_at_another_commit_of_the_same_content_is_fine(ana: Publisher) -> None:
    """A second publisher tagged the same files; what the tag names is what counts."""
    commit = ana()
    api = HfApi(endpoint=ana.hub.url, token=TOKEN)
    api.upload_file(path_or_fileobj=b"x", path_in_repo="x.txt", repo_id=ana.name, repo_type="dataset")
    api.delete_file("x.txt", ana.name, repo_type="dataset")
    assert ana() == commit


# --- two at once -----------------------------------------------------------------------------------------------------


@pytest.mark.attack("publish faults", "other publishers at once")
@pytest.mark.parametrize(
    ("theirs", "tag", "message"),
    [
        pytest.param("one", "v1.0.0", None, id="same-release"),
        pytest.param("two", "v1.0.0", "v1.0.0 is there with other content", id="same-tag"),
        pytest.param("two", "v0.9.0", None, id="another-release"),
    ],
)
def test_somebody_publishes_just_before_our_commit(
    ana: Publisher, monkeypatch: pytest.MonkeyPatch, theirs: str, tag: str, message: str | None
) -> None:
    real = Repo.commit

    def late(self: Repo, *arguments: Any) -> str:
        monkeypatch.setattr(Repo, "commit", real)
        Publisher(ana.hub, ana.name)(theirs, tag)
        return real(self, *arguments)

    monkeypatch.setattr(Repo, "commit", late)
    if message is None:
        ana()
    else:
        with pytest.raises(ReleaseError, match=message):
            ana()
    released = {name: ana.held(name) for name in ana.hub.tags("dataset", ana.name)}
    assert released == {tag: content(theirs), **({} if message else {"v1.0.0": content("one")})}
    assert ana.commits() == list(dict.fromkeys([f"Release {tag}", *released]))[:1] + (
        ["Release v1.0.0"] if tag != "v1.0.0" else []
    )


@pytest.mark.attack("publish faults", "other publishers at once")
def test_somebody_takes_the_tag_between_our_commit_and_our_tag(ana: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Repo.create_tag

    def late(self: Repo, tag: str, commit: str) -> None:
        monkeypatch.setattr(Repo, "create_tag", real)
        Publisher(ana.hub, ana.name)("two")
        real(self, tag, commit)

    monkeypatch.setattr(Repo, "create_tag", late)
    with pytest.raises(ReleaseError, match=r"somebody else published v1.0.0 just now; choose another --version"):
        ana()
    assert ana.held("v1.0.0") == content("two")


@pytest.mark.attack("publish faults", "other publishers at once")
@pytest.mark.parametrize("words", [("one", "one"), ("one", "two")], ids=["same", "different"])
def test_two_publishers_race(ana: Publisher, words: tuple[str, str]) -> None:
    start = threading.Barrier(2)
    ended: dict[int, str] = {}

    def run(number: int, word: str) -> None:
        publisher = Publisher(ana.hub, ana.name)
        start.wait()
        try:
            publisher(word)
            ended[number] = "published"
        except ReleaseError as error:
            ended[number] = str(error)

    threads = [threading.Thread(target=run, args=item) for item in enumerate(words)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [words[number] for number, end in ended.items() if end == "published"]
    assert len(winners) == 3 - len(set(words)), ended
    assert ana.held("v1.0.0") == content(winners[0])
    assert all("v1.0.0" in end and "choose another --version" in end for end in ended.values() if end != "published")
    if len(set(words)) == 1:
        assert ana.commits() == ["Release v1.0.0"]
