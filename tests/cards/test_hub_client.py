"""The Hub on loopback (tests/hub) as the real clients see it: huggingface_hub, hf_xet, datasets, peft."""

from __future__ import annotations

import base64
import doctest
import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hub import card_check, faults, repos
from hub.stand_in import TESTS, Request, StandIn

ANA = "hf_" + "ana" * 12  # never as one literal: scanners of secrets look for those
BOB, READER, FINE = ANA.replace("ana", "bob"), ANA.replace("ana", "red"), ANA.replace("ana", "fin")
REPO = "ana/jam"
CARD = b"---\nlicense: mit\nconfigs:\n- config_name: lines\n  data_files:\n  - split: train\n    path: lines/train-*\n---\n# Jam\n"
BLOB = bytes(range(256)) * 12


@pytest.fixture
def api(hub: StandIn, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """huggingface_hub in this process, without xet, as ana; the waits of its retries are noted, not slept."""
    from huggingface_hub import HfApi, close_session, constants

    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, hub.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)  # both as HF_ENDPOINT would have set them at import
    close_session()
    hub.add_user("ana", ANA)
    yield HfApi(endpoint=hub.url, token=ANA)
    close_session()


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that huggingface_hub would have slept between its tries."""
    noted: list[float] = []
    monkeypatch.setattr(time, "sleep", noted.append)
    return noted


def put(api: Any, path: str, data: bytes, **more: Any) -> str:
    """One file, one commit; its oid."""
    from huggingface_hub import CommitOperationAdd

    operation = CommitOperationAdd(path, data)
    return str(api.create_commit(REPO, [operation], commit_message=f"Add {path}", repo_type="dataset", **more).oid)


def made(api: Any, private: bool = True) -> Any:
    api.create_repo(REPO, repo_type="dataset", private=private)
    return api


def titles(hub: StandIn) -> list[str]:
    return [commit["title"] for commit in hub.commits("dataset", REPO)]


def requests(hub: StandIn, text: str, origin: str = "hub") -> list[Request]:
    return [request for request in hub.log() if request.origin == origin and text in f"{request.method} {request.path}"]


def client(hub: StandIn, home: Path, code: str, token: str | None = ANA, xet: bool = False, **more: str) -> Any:
    """Runs code as a client process with its own HF_HOME; what its last line of output says, as JSON."""
    environment = hub.environment(home, token, xet) | {"PYTHONPATH": str(TESTS)} | more
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=home.parent, capture_output=True, text=True, timeout=600
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


@pytest.mark.parametrize("module", [faults, repos, card_check])
def test_examples(module: Any) -> None:
    assert doctest.testmod(module) == (0, {faults: 3, repos: 1, card_check: 1}[module])


# repositories and rights


def test_create_repo(hub: StandIn, api: Any) -> None:
    from huggingface_hub.errors import HfHubHTTPError

    url = api.create_repo(REPO, repo_type="dataset", private=True)
    assert url == f"{hub.url}/datasets/{REPO}" and url.repo_id == REPO
    assert hub.visibility("dataset", REPO) == "private"
    assert list(hub.files("dataset", REPO)) == [".gitattributes"] and titles(hub) == ["initial commit"]
    assert api.create_repo(REPO, repo_type="dataset", private=False, exist_ok=True) == url
    assert hub.visibility("dataset", REPO) == "private"  # exist_ok changes nothing
    with pytest.raises(HfHubHTTPError, match="409"):
        api.create_repo(REPO, repo_type="dataset")
    assert hub.visibility("model", REPO) is None
    api.update_repo_settings(REPO, repo_type="dataset", private=False)
    assert api.dataset_info(REPO).private is False
    api.delete_repo(REPO, repo_type="dataset")
    assert hub.visibility("dataset", REPO) is None


def test_whoami(hub: StandIn, api: Any) -> None:
    hub.add_user("ana", FINE, role="fine", repos=[REPO], orgs=["cafe"])
    assert api.whoami()["auth"]["accessToken"]["role"] == "write"
    fine = api.whoami(token=FINE)
    assert (fine["name"], fine["orgs"][0]["name"]) == ("ana", "cafe")
    assert fine["auth"]["accessToken"]["fineGrained"]["scoped"][0]["entity"]["name"] == REPO


READ: Callable[[Any], Any] = lambda api: api.dataset_info(REPO)  # noqa: E731
LOAD: Callable[[Any], Any] = lambda api: api.hf_hub_download(REPO, "a.txt", repo_type="dataset", force_download=True)  # noqa: E731
WRITE: Callable[[Any], Any] = lambda api: put(api, "b.txt", b"b")  # noqa: E731
CHECK: Callable[[Any], Any] = lambda api: api.auth_check(REPO, repo_type="dataset", write=True)  # noqa: E731
CREATE: Callable[[Any], Any] = lambda api: api.create_repo("ana/other", repo_type="dataset")  # noqa: E731


@pytest.mark.parametrize(
    ("token", "private", "act", "error", "status"),
    [
        pytest.param(BOB, True, READ, "RepositoryNotFoundError", 404, id="private-of-another"),
        pytest.param(False, True, READ, "RepositoryNotFoundError", 401, id="private-of-nobody"),
        pytest.param(BOB, True, WRITE, "RepositoryNotFoundError", 404, id="write-private-of-another"),
        pytest.param(BOB, False, WRITE, "HfHubHTTPError", 403, id="write-public-of-another"),
        pytest.param(BOB, False, CREATE, "HfHubHTTPError", 403, id="create-for-another"),
        pytest.param(READER, True, WRITE, "HfHubHTTPError", 403, id="write-with-read-token"),
        pytest.param(READER, True, CHECK, "HfHubHTTPError", 403, id="auth-check-with-read-token"),
        pytest.param(READER, True, CREATE, "HfHubHTTPError", 403, id="create-with-read-token"),
        pytest.param(FINE, True, READ, "RepositoryNotFoundError", 404, id="fine-token-for-another-repo"),
        pytest.param(FINE, False, CHECK, "HfHubHTTPError", 403, id="fine-token-for-another-public-repo"),
        pytest.param("hf_unknown", False, READ, "HfHubHTTPError", 401, id="unknown-token"),
        pytest.param("hf_unknown", False, CHECK, "HfHubHTTPError", 401, id="auth-check-with-unknown-token"),
    ],
)
def test_refused(
    hub: StandIn, api: Any, token: str | bool, private: bool, act: Callable[[Any], Any], error: str, status: int
) -> None:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    hub.add_user("bob", BOB)
    hub.add_user("ana", READER, role="read")
    hub.add_user("ana", FINE, role="fine", repos=["ana/elsewhere"])
    put(made(api, private), "a.txt", b"a")
    with pytest.raises(HfHubHTTPError) as caught:
        act(HfApi(endpoint=hub.url, token=token))
    assert type(caught.value).__name__ == error
    assert caught.value.response.status_code == status and caught.value.response.headers["X-Error-Code"]
    assert titles(hub) == ["Add a.txt", "initial commit"]


def test_allowed(hub: StandIn, api: Any, tmp_path: Path) -> None:
    """The other side of the table above: what the same tokens may do."""
    from huggingface_hub import HfApi

    hub.add_user("bob", BOB, orgs=["ana"])
    hub.add_user("ana", READER, role="read")
    hub.add_user("ana", FINE, role="fine", repos=[REPO])
    put(made(api), "a.txt", b"a")
    for token in (BOB, FINE):
        CHECK(HfApi(endpoint=hub.url, token=token))
    assert READ(HfApi(endpoint=hub.url, token=READER)).private
    assert HfApi(endpoint=hub.url, token=READER).create_repo(REPO, repo_type="dataset", exist_ok=True).repo_id == REPO
    api.update_repo_settings(REPO, repo_type="dataset", private=False)
    nobody = HfApi(endpoint=hub.url, token=False)
    assert READ(nobody).sha == hub.commits("dataset", REPO)[0]["oid"]
    path = nobody.hf_hub_download(REPO, "a.txt", repo_type="dataset", cache_dir=tmp_path)
    assert Path(path).read_bytes() == b"a"


def test_gated(hub: StandIn, api: Any, tmp_path: Path) -> None:
    from huggingface_hub.errors import GatedRepoError

    put(made(api, private=False), "a.txt", b"a")
    api.update_repo_settings(REPO, repo_type="dataset", gated="auto")
    hub.add_user("bob", BOB)
    with pytest.raises(GatedRepoError):
        api.hf_hub_download(REPO, "a.txt", repo_type="dataset", token=BOB, cache_dir=tmp_path)


# commits


def test_commit(hub: StandIn, api: Any) -> None:
    """Regular and large files, a commit with the same content, one on an old parent."""
    from huggingface_hub import CommitOperationAdd
    from huggingface_hub.errors import HfHubHTTPError

    first = made(api).dataset_info(REPO).sha
    operations = [CommitOperationAdd("README.md", CARD), CommitOperationAdd("lines/train-0.parquet", BLOB)]
    more = {"commit_message": "One", "commit_description": "two", "repo_type": "dataset"}
    done = api.create_commit(REPO, operations, parent_commit=first, **more)
    newest = hub.commits("dataset", REPO)[0]
    assert (newest["oid"], newest["parent"], newest["title"], newest["message"]) == (done.oid, first, "One", "two")
    assert {**hub.files("dataset", REPO)} | {".gitattributes": b""} == {
        ".gitattributes": b"",
        "README.md": CARD,
        "lines/train-0.parquet": BLOB,
    }
    assert [request.bytes_in for request in requests(hub, "PUT", "storage")] == [len(BLOB)]
    hub.clear_log()
    again = [CommitOperationAdd("README.md", CARD), CommitOperationAdd("lines/train-0.parquet", BLOB)]
    assert api.create_commit(REPO, again, parent_commit=done.oid, **more).oid == done.oid
    assert not requests(hub, "PUT", "storage") and not requests(hub, "/commit/") and len(titles(hub)) == 2
    with pytest.raises(HfHubHTTPError, match="412") as caught:
        put(api, "late.txt", b"late", parent_commit=first)
    assert "A commit has happened since" in str(caught.value) and len(titles(hub)) == 2


def test_deletions_come_first(hub: StandIn, api: Any) -> None:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete
    from huggingface_hub.errors import EntryNotFoundError

    put(put_all(made(api), {"a/1.txt": b"1", "a/2.txt": b"2", "ab.txt": b"ab"}), "b.txt", b"b")
    operations = [CommitOperationAdd("a/2.txt", b"new"), CommitOperationDelete("a/"), CommitOperationDelete("b.txt")]
    with pytest.warns(UserWarning, match="About to delete a folder"):
        api.create_commit(REPO, operations, commit_message="Replace", repo_type="dataset")
    found = hub.files("dataset", REPO)
    assert sorted(found) == [".gitattributes", "a/2.txt", "ab.txt"] and found["a/2.txt"] == b"new"
    with pytest.raises(EntryNotFoundError, match="doesn't exist"):
        api.create_commit(REPO, [CommitOperationDelete("b.txt")], commit_message="Gone", repo_type="dataset")


def put_all(api: Any, files: dict[str, bytes]) -> Any:
    from huggingface_hub import CommitOperationAdd

    operations = [CommitOperationAdd(path, data) for path, data in files.items()]
    api.create_commit(REPO, operations, commit_message="Several", repo_type="dataset")
    return api


@pytest.mark.parametrize(
    ("path", "data", "message"),
    [
        pytest.param("run.json", b'{"token": "' + ANA.encode() + b'"}', "valid Hugging Face secrets", id="token"),
        pytest.param("README.md", b"---\na: [\n---\n", "bad YAML", id="yaml"),
        pytest.param("README.md", b"---\nlanguage: ENGLISH\n---\n", "ISO 639", id="language"),
        pytest.param("README.md", b"---\nlicense: mine\n---\n", "license", id="license"),
        pytest.param("README.md", b"---\nconfigs: lines\n---\n", "array of objects", id="configs"),
    ],
)
def test_content_that_the_hub_refuses(hub: StandIn, api: Any, path: str, data: bytes, message: str) -> None:
    from huggingface_hub.errors import BadRequestError

    with pytest.raises((ValueError, BadRequestError), match=message):
        put(made(api), path, data)
    assert titles(hub) == ["initial commit"]


def test_a_large_file_must_have_arrived(hub: StandIn, api: Any) -> None:
    """A commit of a pointer to nowhere; bytes that are not what was announced."""
    made(api)
    lines: list[dict[str, Any]] = [{"key": "header", "value": {"summary": "No bytes"}}]
    lines.append({"key": "lfsFile", "value": {"path": "a.parquet", "algo": "sha256", "oid": "0" * 64, "size": 3}})
    body = "\n".join(map(json.dumps, lines)).encode()
    status, headers, _ = raw(hub, "POST", f"{hub.url}/api/datasets/{REPO}/commit/main", body)
    assert status == 400 and "does not exist" in headers["X-Error-Message"]
    batch = {"operation": "upload", "objects": [{"oid": "0" * 64, "size": 3}]}
    _, _, answer = raw(hub, "POST", f"{hub.url}/datasets/{REPO}.git/info/lfs/objects/batch", json.dumps(batch).encode())
    href = json.loads(answer)["objects"][0]["actions"]["upload"]["href"]
    assert raw(hub, "PUT", href, b"abc", token=None)[0] == 400
    assert raw(hub, "PUT", href.split("?")[0], b"abc", token=None)[0] == 403
    assert raw(hub, "PUT", href, b"abc")[0] == 400  # a token at the storage
    assert titles(hub) == ["initial commit"]


def raw(
    hub: StandIn, method: str, url: str, body: bytes | None = None, token: str | None = ANA, **headers: str
) -> tuple[int, Any, bytes]:
    """A request without any client's help: status, headers, body; redirects are not followed."""

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *args: Any) -> None:
            return None

    request = urllib.request.Request(url, body, headers | ({"Authorization": f"Bearer {token}"} if token else {}))
    request.method = method
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({}), Stay).open(request, timeout=60) as reply:
            return reply.status, reply.headers, reply.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def test_chunked_bodies_and_keep_alive(hub: StandIn, api: Any) -> None:
    import http.client

    connection = http.client.HTTPConnection(hub.url.removeprefix("http://"), timeout=60)
    for body in (iter([b'{"content": ', b'"# Jam"}']), b'{"content": "# Jam"}'):
        connection.request("POST", "/api/validate-yaml", body, encode_chunked=not isinstance(body, bytes))
        reply = connection.getresponse()
        assert json.load(reply)["warnings"] and reply.status == 200
    connection.request("HEAD", "/api/whoami-v2")
    connection.getresponse().read()
    connection.request("GET", "/api/nothing/here")
    assert connection.getresponse().status == 404
    assert [request.bytes_in for request in hub.log()] == [20, 20, 0, 0]
    connection.close()


def test_tags_and_branches(hub: StandIn, api: Any) -> None:
    from huggingface_hub.errors import HfHubHTTPError, RevisionNotFoundError

    one = put(made(api), "a.txt", b"1")
    two = put(api, "a.txt", b"2")
    api.create_tag(REPO, tag="v1.0.0", revision=one, repo_type="dataset", tag_message="First")
    with pytest.raises(HfHubHTTPError, match="409"):
        api.create_tag(REPO, tag="v1.0.0", revision=two, repo_type="dataset")
    api.create_tag(REPO, tag="v1.0.0", revision=two, repo_type="dataset", exist_ok=True)
    assert hub.tags("dataset", REPO) == {"v1.0.0": one}  # the client says nothing, the tag stays
    with pytest.raises(RevisionNotFoundError):
        api.create_tag(REPO, tag="v2.0.0", revision="0" * 40, repo_type="dataset")
    assert hub.files("dataset", REPO, "v1.0.0")["a.txt"] == b"1"
    assert (
        api.dataset_info(REPO, revision="v1.0.0").sha == api.dataset_info(REPO, revision="refs/tags/v1.0.0").sha == one
    )
    api.create_branch(REPO, branch="next/one", revision=one, repo_type="dataset")
    put(api, "b.txt", b"b", revision="next/one")
    refs = api.list_repo_refs(REPO, repo_type="dataset")
    assert {ref.name for ref in refs.branches} == {"main", "next/one"} and refs.tags[0].target_commit == one
    assert api.list_repo_commits(REPO, repo_type="dataset", revision="next/one")[0].title == "Add b.txt"
    api.delete_branch(REPO, branch="next/one", repo_type="dataset")
    api.delete_tag(REPO, tag="v1.0.0", repo_type="dataset")
    with pytest.raises(RevisionNotFoundError):
        api.dataset_info(REPO, revision="v1.0.0")


def test_one_of_many_wins(hub: StandIn, api: Any) -> None:
    """Eight commits of fifty files on the same parent at once: one is made, seven meet a 412."""
    head = made(api).dataset_info(REPO).sha
    together = threading.Barrier(8)

    def publish(number: int) -> int:
        lines: list[dict[str, Any]] = [{"key": "header", "value": {"summary": f"{number}", "parentCommit": head}}]
        lines += [{"key": "file", "value": {"path": f"{i}.txt", "content": f"{number}{i:03}"}} for i in range(50)]
        body = "\n".join(map(json.dumps, lines)).encode()
        together.wait(60)
        return raw(hub, "POST", f"{hub.url}/api/datasets/{REPO}/commit/main", body)[0]

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(publish, range(8))) == [200] + [412] * 7
    winner = titles(hub)[0]
    assert titles(hub) == [winner, "initial commit"]
    assert hub.files("dataset", REPO)["7.txt"] == base64.b64decode(f"{winner}007")


# listings and downloads


def test_listings(tmp_path: Path, api: Any, hub: StandIn) -> None:
    files = {"README.md": CARD, "lines/a.parquet": BLOB, **{f"n/{i}.txt": b"%d" % i for i in range(9)}}
    put_all(made(api), files)
    put(api, "n/3.txt", b"three")
    everything = {entry.path: entry for entry in api.list_repo_tree(REPO, repo_type="dataset", recursive=True)}
    assert sorted(everything) == sorted([".gitattributes", "lines", "n", *files])
    large = everything["lines/a.parquet"]
    assert (large.size, large.lfs.sha256) == (len(BLOB), hashlib.sha256(BLOB).hexdigest())
    git = subprocess.run(["git", "hash-object", "--stdin"], input=CARD, capture_output=True).stdout.decode().strip()
    assert everything["README.md"].blob_id == git and everything["README.md"].lfs is None
    top = [entry.path for entry in api.list_repo_tree(REPO, repo_type="dataset")]
    assert top == [".gitattributes", "README.md", "lines", "n"]
    inside = api.list_repo_tree(REPO, "n", repo_type="dataset", expand=True)
    changed = {entry.path: entry.last_commit.title for entry in inside}
    assert changed.pop("n/3.txt") == "Add n/3.txt" and set(changed.values()) == {"Several"}
    asked = api.get_paths_info(REPO, ["lines", "n/1.txt", "none"], repo_type="dataset")
    assert [entry.path for entry in asked] == ["lines", "n/1.txt"]
    siblings = {sibling.rfilename: sibling for sibling in api.dataset_info(REPO, files_metadata=True).siblings}
    assert siblings["lines/a.parquet"].lfs.sha256 == large.lfs.sha256
    assert api.dataset_info(REPO).card_data.license == "mit"


def test_missing_things_have_their_own_errors(hub: StandIn, api: Any, tmp_path: Path) -> None:
    from huggingface_hub.errors import EntryNotFoundError, RevisionNotFoundError

    put(made(api), "a.txt", b"a")
    load = {"repo_type": "dataset", "cache_dir": tmp_path}
    with pytest.raises(EntryNotFoundError):
        api.hf_hub_download(REPO, "none.txt", **load)
    with pytest.raises(RevisionNotFoundError):
        api.hf_hub_download(REPO, "a.txt", revision="v9", **load)
    with pytest.raises(EntryNotFoundError):
        list(api.list_repo_tree(REPO, "none", repo_type="dataset"))


def test_pages_and_parts(tmp_path: Path) -> None:
    """Listings of three entries a page, uploads of 1000 bytes a part."""
    from huggingface_hub import HfApi, constants

    with StandIn(tmp_path / "hub", page_size=3, part_size=1000) as hub, pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        hub.add_user("ana", ANA)
        api = made(HfApi(endpoint=hub.url, token=ANA))
        put_all(api, {"a.parquet": BLOB, "small.parquet": b"PAR1", **{f"{i}.txt": b"x" for i in range(8)}})
        assert hub.files("dataset", REPO)["a.parquet"] == BLOB
        sizes = [request.bytes_in for request in requests(hub, "PUT", "storage")]
        assert sorted(sizes) == [4, len(BLOB) - 3000, 1000, 1000, 1000]
        assert not any(request.authorization_present for request in requests(hub, "/complete/"))
        assert len(list(api.list_repo_tree(REPO, repo_type="dataset"))) == 11
        assert len(requests(hub, "/tree/")) == 4


def test_ranges(hub: StandIn, api: Any) -> None:
    put_all(made(api), {"a.txt": b"0123456789", "a.parquet": BLOB})
    url = f"{hub.url}/datasets/{REPO}/resolve/main"
    status, headers, body = raw(hub, "GET", f"{url}/a.txt", Range="bytes=2-4")
    assert (status, headers["Content-Range"], body) == (206, "bytes 2-4/10", b"234")
    assert raw(hub, "GET", f"{url}/a.txt", Range="bytes=7-")[2] == b"789"
    assert raw(hub, "GET", f"{url}/a.txt", Range="bytes=-2")[2] == b"89"
    assert raw(hub, "GET", f"{url}/a.txt", Range="bytes=10-")[0] == 416
    status, headers, body = raw(hub, "HEAD", f"{url}/a.parquet")
    assert (status, body, headers["X-Linked-Size"]) == (302, b"", str(len(BLOB)))
    assert headers["Location"].startswith(hub.storage_url) and headers["X-Repo-Commit"]
    assert raw(hub, "GET", headers["Location"], token=None, Range="bytes=0-9")[2] == BLOB[:10]
    assert raw(hub, "GET", headers["Location"])[0] == 400  # the token does not belong there


# faults


@pytest.mark.parametrize(
    ("pattern", "order", "waited", "commits"),
    [
        pytest.param("POST .*/preupload/", {"status": 503}, [1], 2, id="503-is-retried"),
        pytest.param("POST .*/preupload/", {"status": 500, "times": 2}, [1, 2], 2, id="500-twice"),
        pytest.param(
            "POST .*/objects/batch", {"status": 429, "headers": {"Retry-After": "7"}}, [8], 2, id="429-retry-after"
        ),
        pytest.param("PUT /dataset/", {"action": "reset"}, [1], 2, id="reset-of-an-upload"),
        pytest.param("PUT /dataset/", {"action": "lost", "times": 2}, [1, 2], 2, id="lost-reply-of-an-upload"),
        pytest.param("PUT /dataset/", {"action": "truncate"}, [], 2, id="truncated-reply-without-a-body"),
        pytest.param("POST .*/commit/", {"status": 503}, [], 1, id="503-of-a-commit-is-not-retried"),
        pytest.param("POST .*/commit/", {"status": 500, "after": True}, [], 2, id="500-although-committed"),
        pytest.param("POST .*/commit/", {"action": "reset"}, [], 1, id="reset-of-a-commit"),
        pytest.param("POST .*/commit/", {"action": "lost"}, [], 2, id="lost-reply-of-a-commit"),
        pytest.param("POST .*/commit/", {"action": "truncate"}, [], 2, id="truncated-reply-of-a-commit"),
        pytest.param("POST .*/commit/", {"action": "reset", "skip": 1}, [], 2, id="spared-by-skip"),
        pytest.param("GET .*", {"status": 503, "times": 9}, [], 2, id="other-requests-are-untouched"),
    ],
)
def test_faults(
    hub: StandIn, api: Any, waits: list[float], pattern: str, order: dict[str, Any], waited: list[float], commits: int
) -> None:
    """What a commit of one large file makes of a fault, and that the next try always ends with exactly one commit."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError

    made(api)
    hub.fault(pattern, **order)
    try:
        put(api, "a.parquet", BLOB)
        failed = False
    except (HfHubHTTPError, httpx2.TransportError):
        failed = True
    assert failed == ("commit" in pattern and "skip" not in order)
    assert waits == waited and len(titles(hub)) == commits
    hub.clear_faults()
    put(api, "a.parquet", BLOB)
    assert titles(hub) == ["Add a.parquet", "initial commit"] and hub.files("dataset", REPO)["a.parquet"] == BLOB


def test_a_fault_is_logged_and_used_up(hub: StandIn, api: Any) -> None:
    from huggingface_hub.errors import HfHubHTTPError

    hub.fault("whoami", status=418, times=2)
    with pytest.raises(HfHubHTTPError, match="418"):
        api.whoami()
    assert hub.faults_left() == 1
    hub.clear_faults()
    assert api.whoami()["name"] == "ana" and hub.faults_left() == 0
    assert [(request.status, request.user) for request in requests(hub, "whoami")] == [(418, "ana"), (200, "ana")]


def test_a_reset_is_a_reset(hub: StandIn) -> None:
    """Not an orderly end, which a client would read as an empty reply."""
    hub.fault("/anything", action="reset")
    address = urlsplit(hub.url)
    with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
        connection.sendall(b"GET /anything HTTP/1.1\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    assert [request.status for request in hub.log()] == [0]


def test_a_cut_download_goes_on_where_it_was_cut(
    hub: StandIn, api: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    put(made(api), "a.parquet", BLOB)
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 512)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    hub.fault("GET /dataset/", action="truncate")
    path = api.hf_hub_download(REPO, "a.parquet", repo_type="dataset", cache_dir=tmp_path)
    assert Path(path).read_bytes() == BLOB
    asked = [(request.status, request.range) for request in requests(hub, "GET", "storage")]
    assert asked == [(200, None), (206, f"bytes={len(BLOB) // 2}-")]


def test_a_hanging_request_ends_with_the_patience_of_the_client(hub: StandIn) -> None:
    """Downloads have timeouts; huggingface_hub's other calls have none and would wait for ever."""
    import httpx2
    from huggingface_hub import get_hf_file_metadata

    hub.fault("HEAD .*", action="hang", times=99)
    with pytest.raises(httpx2.TimeoutException):
        get_hf_file_metadata(f"{hub.url}/datasets/{REPO}/resolve/main/a.txt", timeout=0.2, token=False)
    hub.clear_faults()
    with ThreadPoolExecutor(1) as pool:  # and with that of the test
        hub.fault("whoami", action="hang")
        asking = pool.submit(raw, hub, "GET", f"{hub.url}/api/whoami-v2")
        while not requests(hub, "whoami"):
            time.sleep(0.01)
        hub.clear_faults()
        assert isinstance(asking.exception(timeout=60), ConnectionError)


def test_a_token_that_expires_midway(hub: StandIn, api: Any) -> None:
    """The commit is refused; with a new token nothing is uploaded again."""
    from huggingface_hub.errors import HfHubHTTPError

    made(api)
    hub.expire_after(ANA, "PUT|POST .*/objects/verify")
    with pytest.raises(HfHubHTTPError, match="401"):
        put(api, "a.parquet", BLOB)
    assert len(requests(hub, "PUT", "storage")) == 1 and titles(hub) == ["initial commit"]
    hub.add_user("ana", BOB)
    put(api, "a.parquet", BLOB, token=BOB)
    assert len(requests(hub, "PUT", "storage")) == 1 and len(titles(hub)) == 2
    hub.expire(BOB)
    with pytest.raises(HfHubHTTPError, match="Invalid user token"):
        api.whoami(token=BOB)


# the process


def test_what_it_holds_outlives_it(hub: StandIn, api: Any) -> None:
    from huggingface_hub import close_session

    oid = put(made(api), "a.parquet", BLOB)
    api.create_tag(REPO, tag="v1.0.0", repo_type="dataset")
    url = hub.url
    hub.restart()
    close_session()
    assert hub.url == url and api.whoami()["name"] == "ana"
    assert hub.tags("dataset", REPO) == {"v1.0.0": oid} and hub.visibility("dataset", REPO) == "private"
    assert hub.files("dataset", REPO, "v1.0.0")["a.parquet"] == BLOB
    put(api, "b.txt", b"b", parent_commit=oid)
    assert not [path for path in hub.root.rglob("*") if path.is_file() and ANA.encode() in path.read_bytes()]


def test_it_ends_with_the_test_run(tmp_path: Path) -> None:
    """Also if that is killed: its standard input ends then."""
    code = f"import os, sys; sys.path.insert(0, {str(TESTS)!r})\nfrom pathlib import Path\nfrom hub.stand_in import StandIn\n"
    code += f"hub = StandIn(Path({str(tmp_path / 'hub')!r})); hub.start(); print(hub.url, flush=True); os.kill(os.getpid(), 9)"
    killed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    url, until = killed.stdout.strip(), time.monotonic() + 60
    while time.monotonic() < until:
        try:
            raw(StandIn(tmp_path), "GET", f"{url}/api/agent-harnesses", token=None)
            time.sleep(0.01)
        except OSError:
            return
    pytest.fail("the stand-in still answers")


def test_clients_get_none_of_this_machine_settings(
    hub: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "HF_TOKEN",
        "HF_HUB_OFFLINE",
        "HUGGING_FACE_HUB_TOKEN",
        "https_proxy",
        "ALL_PROXY",
        "HF_DATASETS_CACHE",
    ):
        monkeypatch.setenv(name, "foreign")
    ours = hub.environment(tmp_path / "home", None)
    assert "foreign" not in ours.values() and ours["HF_HUB_DISABLE_XET"] == "1" and ours["HF_ENDPOINT"] == hub.url
    xet = hub.environment(tmp_path / "home", ANA, xet=True)
    assert xet["HF_TOKEN"] == ANA and "HF_HUB_DISABLE_XET" not in xet and xet["PATH"] == os.environ["PATH"]


# whole clients, as processes of their own

PUBLISH = """
import io, json, sys
import pyarrow as pa, pyarrow.parquet as pq
from huggingface_hub import CommitOperationAdd, HfApi
api, repo = HfApi(), "ana/jam"
api.create_repo(repo, repo_type="dataset", private=True, exist_ok=True)
card = "---\\nlicense: mit\\nconfigs:\\n"
operations = []
for config, rows in {"lines": ["Who moved the jam?", "Not me."], "chunks": ["A: Who moved the jam?\\nB: Not me."]}.items():
    pq.write_table(pa.table({"text": rows}), f"{config}.parquet")
    operations.append(CommitOperationAdd(f"{config}/train-00000-of-00001.parquet", f"{config}.parquet"))
    card += f"- config_name: {config}\\n  data_files:\\n  - split: train\\n    path: {config}/train-*\\n"
operations.append(CommitOperationAdd("README.md", (card + "---\\n# Jam\\n").encode()))
done = api.create_commit(repo, operations, commit_message="Release 1.0.0", repo_type="dataset")
print(json.dumps(done.oid))
"""
LOAD_DATASET = """
import json, sys
from datasets import load_dataset
from huggingface_hub import snapshot_download
def rows(*args, **more): return list(load_dataset("ana/jam", *args, split="train", **more)["text"])
def error(*args, **more):
    try: rows(*args, **more)
    except Exception as error: return type(error).__name__
found = {
    "lines": rows("lines", revision="v1.0.0"),
    "chunks": rows("chunks", revision="v1.0.0"),
    "now": rows("lines"),
    "streamed": [row["text"] for row in load_dataset("ana/jam", "lines", revision="v1.0.0", split="train", streaming=True)],
    "bad revision": error("lines", revision="v9.9.9"),
    "bad config": error("jokes", revision="v1.0.0"),
    "snapshot": snapshot_download("ana/jam", repo_type="dataset", revision="v1.0.0", local_dir="copy"),
}
print(json.dumps(found))
"""


@pytest.mark.slow
@pytest.mark.parametrize("xet", [False, True], ids=["lfs", "xet"])
def test_publish_and_load(hub: StandIn, api: Any, tmp_path: Path, xet: bool) -> None:
    """A release pinned by its tag is read as it was, whatever main holds now; large files come from the storage."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    oid = client(hub, tmp_path / "writer", PUBLISH, xet=xet)
    assert hub.commits("dataset", REPO)[0]["oid"] == oid
    tree = api.list_repo_tree(REPO, repo_type="dataset", recursive=True)
    assert {bool(entry.xet_hash) for entry in tree if entry.path.endswith(".parquet")} == {xet}
    puts = len(requests(hub, "PUT", "storage"))
    assert puts == (0 if xet else 2) and len(requests(hub, "/xet-write-token/")) == (1 if xet else 0)
    assert client(hub, tmp_path / "writer", PUBLISH, xet=xet) == oid
    assert len(titles(hub)) == 2 and len(requests(hub, "PUT", "storage")) == puts
    api.create_tag(REPO, tag="v1.0.0", revision=oid, repo_type="dataset")
    pq.write_table(pa.table({"text": ["It was me."]}), changed := pa.BufferOutputStream())
    put(api, "lines/train-00000-of-00001.parquet", changed.getvalue().to_pybytes())

    found = client(hub, tmp_path / "reader", LOAD_DATASET, xet=xet)
    assert found["lines"] == found["streamed"] == ["Who moved the jam?", "Not me."]
    assert found["chunks"] == ["A: Who moved the jam?\nB: Not me."]
    assert found["now"] == ["It was me."]
    assert found["bad revision"] == "DatasetNotFoundError" and found["bad config"] == "ValueError"
    copied = {path.relative_to(found["snapshot"]).as_posix() for path in Path(found["snapshot"]).rglob("*.*")}
    held = hub.files("dataset", REPO, "v1.0.0")
    assert held.keys() <= copied
    assert all((Path(found["snapshot"]) / path).read_bytes() == data for path, data in held.items())
    assert bool(requests(hub, "/xet-read-token/")) == xet and requests(hub, "GET", "storage")
    assert not any(request.authorization_present for request in hub.log() if request.origin == "storage")
    assert not [request for request in hub.log() if request.status >= 500]


@pytest.mark.slow
def test_xet_clients_side_by_side(hub: StandIn, tmp_path: Path) -> None:
    """Two processes upload by xet at once; readers without xet get the same bytes, also after a restart."""
    hub.add_user("ana", ANA)
    code = """
import json, sys
from huggingface_hub import HfApi
api = HfApi()
api.create_repo("ana/jam", repo_type="dataset", exist_ok=True)
open(NAME, "wb").write(SEED * 70000)
api.upload_file(path_or_fileobj=NAME, path_in_repo=NAME, repo_id="ana/jam", repo_type="dataset")
print(json.dumps(None))
"""
    seeds = {"a.parquet": b"toast", "b.parquet": b"marmalade"}
    codes = [code.replace("NAME", repr(name)).replace("SEED", repr(seed)) for name, seed in seeds.items()]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda code: client(hub, tmp_path / "writer", code, xet=True), codes))
    hub.restart()
    read = """
import hashlib, json
from huggingface_hub import hf_hub_download
paths = [hf_hub_download("ana/jam", name, repo_type="dataset") for name in ("a.parquet", "b.parquet")]
print(json.dumps([hashlib.sha256(open(path, "rb").read()).hexdigest() for path in paths]))
"""
    expected = [hashlib.sha256(seed * 70000).hexdigest() for seed in seeds.values()]
    assert client(hub, tmp_path / "with", read, xet=True) == expected
    assert client(hub, tmp_path / "without", read) == expected


@pytest.mark.slow
def test_an_adapter(hub: StandIn, tmp_path: Path) -> None:
    """A base model and an adapter pushed, then PeftModel.from_pretrained with their ids: the same logits."""
    hub.add_user("ana", ANA)
    write = """
import json
from pathlib import Path
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM
from huggingface_hub import HfApi
from tiny import write_model
api = HfApi()
api.create_repo("ana/base", private=True)
api.upload_folder(folder_path=write_model(Path("base")), repo_id="ana/base")
model = get_peft_model(AutoModelForCausalLM.from_pretrained("ana/base"), LoraConfig(target_modules=["q_proj", "v_proj"], init_lora_weights=False, task_type="CAUSAL_LM"))
model.push_to_hub("ana/adapter", private=True)
print(json.dumps(model.eval()(torch.arange(9)[None]).logits[0, -1].tolist()))
"""
    read = """
import json
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer
model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained("ana/base"), "ana/adapter")
assert AutoTokenizer.from_pretrained("ana/base")("jam").input_ids
print(json.dumps(model.eval()(torch.arange(9)[None]).logits[0, -1].tolist()))
"""
    written = client(hub, tmp_path / "writer", write)
    assert hub.visibility("model", "ana/adapter") == "private"
    assert {"adapter_model.safetensors", "adapter_config.json"} <= hub.files("model", "ana/adapter").keys()
    assert client(hub, tmp_path / "reader", read) == written
    storage = [request for request in hub.log() if request.origin == "storage"]
    assert storage and not any(request.authorization_present for request in storage)
