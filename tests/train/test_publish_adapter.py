"""`python -m train.publish`: what goes to the Hub of an adapter, and that strangers can use it from there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hub.stand_in import StandIn
from huggingface_hub import HfApi, ModelCard
from invented import write_pages
from publisher import NUMBERS, TOKEN
from tiny import write_model

from cards.hub.client import Patience, Repo
from cards.hub.files import ReleaseError
from friends_corpus.core.cli import InputError
from train import publish, sft

ROOT = Path(__file__).parents[2]
CODE = re.compile(r"```python\n(.*?)```", re.S)
TAG = re.compile(r"v1\.2\.3-[0-9a-f]{8}")  # "v1.2.3-5f3c9a1e": the dataset's version, a digest of what is published
CARD = """---
library_name: peft
base_model: "someone/tiny"
datasets:
- "friends-lines"
---

It learnt from the config `chunks`
of the dataset `friends-lines`, version 1.2.3, column `text`.

```python
adapter = "."  # this folder; from elsewhere its path, or its name on the Hub
```
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """One stand-in for all tests here."""
    with StandIn(tmp_path_factory.mktemp("hub") / "hub") as running:
        running.add_user("ana", TOKEN)
        yield running


@pytest.fixture
def hub(server: StandIn, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """Without faults, and for clients in this process: LFS."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    server.clear_log()
    yield server
    server.clear_faults()


def write_adapter(out: Path, value: float = 0.5) -> Path:
    """A folder as train.sft leaves it, invented."""
    import torch
    from safetensors.torch import save_file

    (out / "plots").mkdir(parents=True)
    save_file({"lora_A": torch.full((4, 4), value)}, out / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "base_model_name_or_path": "someone/tiny"}
    (out / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    (out / "run.json").write_text(json.dumps({"dataset": {"name": "friends-lines", "version": "1.2.3"}}))
    for name, text in {"README.md": CARD, "samples.md": "# Samples\n", "tokenizer_config.json": "{}"}.items():
        (out / name).write_text(text, encoding="utf-8")
    (out / "plots" / "loss.png").write_bytes(b"\x89PNG\0")
    return out


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Never changed; see `out`."""
    return write_adapter(tmp_path_factory.mktemp("adapters") / "chunks")


@pytest.fixture
def out(kept: Path, tmp_path: Path) -> Path:
    """An adapter to be damaged at will."""
    return Path(shutil.copytree(kept, tmp_path / "adapters" / "chunks"))


def run(hub: StandIn, *arguments: object) -> None:
    """The command without its command line, to the stand-in, without waiting."""
    options = publish.make_parser().parse_args([str(argument) for argument in arguments])
    publish.publish(options, HfApi(endpoint=hub.url, token=TOKEN), Patience(sleep=lambda seconds: None))


def titles(hub: StandIn, name: str) -> list[str]:
    """Of the commits, newest first, without the Hub's own."""
    return [commit["title"] for commit in hub.commits("model", name)][:-1]


# --- without training ------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_only_what_is_allowed_goes(hub: StandIn, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (out / "checkpoint-3").mkdir()
    for name in ("checkpoint-3/optimizer.pt", "training_args.bin", "notes.txt", "plots/data.pkl"):
        (out / name).write_bytes(b"x")
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    run(hub, out, "ana/allowed")
    published = hub.files("model", "ana/allowed")
    ours = {*before} - {out / "training_args.bin", out / "notes.txt", out / "plots/data.pkl"}
    ours -= {out / "checkpoint-3/optimizer.pt"}
    assert published.keys() - {".gitattributes"} == {path.relative_to(out).as_posix() for path in ours}
    assert "left out  checkpoint-3, notes.txt, training_args.bin: not of" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    assert hub.visibility("model", "ana/allowed") == "private"
    [tag] = hub.tags("model", "ana/allowed")
    assert TAG.fullmatch(tag)


@pytest.mark.slow
def test_the_tag_follows_from_the_content(hub: StandIn, out: Path) -> None:
    run(hub, out, "ana/tags")
    [first] = hub.tags("model", "ana/tags")
    hub.clear_log()
    run(hub, out, "ana/tags")
    assert not [entry for entry in hub.log() if entry.method in ("POST", "PUT")]
    run(hub, out, "ana/tags", "--version", "2.0.0")
    assert hub.tags("model", "ana/tags").keys() == {first, "v2.0.0"}
    assert titles(hub, "ana/tags") == [f"Release {first}"]
    shutil.rmtree(out)
    write_adapter(out, 0.25)
    with pytest.raises(ReleaseError, match=r"v2.0.0 is there with other content, .* choose another --version"):
        run(hub, out, "ana/tags", "--version", "2.0.0")
    run(hub, out, "ana/tags")
    assert len(hub.tags("model", "ana/tags")) == 3
    assert len(titles(hub, "ana/tags")) == 2


@pytest.mark.slow
def test_the_card_on_the_hub(hub: StandIn, out: Path) -> None:
    run(hub, out, "card", "--dataset-repo", "lines")
    card = hub.files("model", "ana/card")["README.md"].decode()
    assert 'adapter = "ana/card"\n' in card
    assert ModelCard(card).data["datasets"] == ["ana/lines"]
    assert "of the dataset `ana/lines`, version 1.2.3" in card
    run(hub, out, "ana/card-2")
    card = hub.files("model", "ana/card-2")["README.md"].decode()
    assert ModelCard(card).data["datasets"] == ["friends-lines"]
    assert card == CARD.replace(
        'adapter = "."  # this folder; from elsewhere its path, or its name on the Hub', 'adapter = "ana/card-2"'
    )


@pytest.mark.slow
def test_several_adapters(hub: StandIn, out: Path) -> None:
    lines = write_adapter(out.with_name("lines"), 0.125)
    run(hub, lines, out, "ana/friends", "--public", "--yes")
    for folder in (lines, out):
        name = f"ana/friends-{folder.name}"
        weights = (folder / "adapter_model.safetensors").read_bytes()
        assert hub.files("model", name)["adapter_model.safetensors"] == weights
        assert hub.visibility("model", name) == "public"
    (out / "adapter_model.safetensors").unlink()
    with pytest.raises(ReleaseError, match=r"chunks holds no adapter_model.safetensors"):
        run(hub, lines, out, "ana/none")
    assert hub.visibility("model", "ana/none-lines") is None


def damaged_weights(out: Path) -> None:
    path = out / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-8])


def not_finite(out: Path) -> None:
    shutil.rmtree(out)
    write_adapter(out, float("nan"))


def based_on(base: str) -> Callable[[Path], Any]:
    return lambda out: (out / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": base}))


def linked(out: Path) -> None:
    (out / "tokenizer.json").symlink_to("/etc/hostname")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        pytest.param(lambda out: (out / "run.json").unlink(), "chunks holds no run.json, so no finished run", id="run"),
        pytest.param(lambda out: (out / "run.json").write_text("[]"), "not what train.sft writes", id="json"),
        pytest.param(damaged_weights, "adapter_model.safetensors: cannot be read", id="cut-weights"),
        pytest.param(not_finite, "lora_A is not finite; train again", id="nan"),
        pytest.param(based_on("/home/ana/base"), "the base is '/home/ana/base', not a name", id="base-path"),
        pytest.param(based_on("../base"), "the base is '../base', not a name", id="base-relative"),
        pytest.param(linked, "tokenizer.json is a link", id="link"),
        pytest.param(
            lambda out: (out / "samples.md").write_text(TOKEN), "samples.md: line 1 holds the token", id="token"
        ),
        pytest.param(
            lambda out: (out / "samples.md").write_text(f"{out}"), "line 1 holds a path of this machine", id="place"
        ),
        pytest.param(lambda out: (out / "README.md").write_text("# Mine\n"), "no single line 'adapter = ", id="card"),
    ],
)
def test_refused(hub: StandIn, out: Path, damage: Callable[[Path], Any], message: str) -> None:
    damage(out)
    with pytest.raises((ReleaseError, InputError)) as caught:
        run(hub, out, "ana/refused")
    assert message in str(caught.value)
    assert TOKEN not in str(caught.value)
    assert hub.visibility("model", "ana/refused") is None


@pytest.mark.slow
def test_a_download_that_differs_is_noticed(hub: StandIn, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = out.with_name("wrong")
    shutil.copytree(out, wrong)
    (wrong / "samples.md").write_text("other", encoding="utf-8")
    monkeypatch.setattr(Repo, "download", lambda self, revision, cache: str(wrong))
    with pytest.raises(ReleaseError, match=r"README.md at v.* comes back changed"):
        run(hub, out, "ana/differs")


def test_access_is_checked_without_an_adapter(hub: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    name = f"ana/access-{next(NUMBERS)}"
    run(hub, "--check-access", name)
    assert capsys.readouterr().out == f"hub       {name} will be created, private\n"
    api = HfApi(endpoint=hub.url, token=TOKEN)
    api.create_repo(name, private=True)
    run(hub, "--check-access", name)
    assert capsys.readouterr().out == f"hub       {name} can be written\n"
    api.update_repo_settings(name, private=False)
    with pytest.raises(ReleaseError, match="is public; choose another name, or make it private at"):
        run(hub, "--check-access", name)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param("", "the following arguments are required: USER/NAME", id="nothing"),
        pytest.param("ana/x", "nothing to publish; give OUT", id="no-out"),
        pytest.param("a/chunks b/chunks ana/x", "two OUTs have the same folder name", id="same-name"),
        pytest.param("chunks ana/x/y", "'ana/x/y' is no repo id; write USER/NAME", id="repo"),
        pytest.param("chunks ana/x --version 1.0", "'1.0' is not of the form 1.0.0", id="version"),
        pytest.param("chunks ana/x --dataset-repo a--b", "'a--b' is no repo id", id="dataset-repo"),
    ],
)
def test_bad_usage(arguments: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        publish.main(arguments.split())
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_sft_does_not_train_for_a_repo_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr(sft, "run", lambda *_: pytest.fail("it trains"))
    assert sft.main(["--dataset", "chunks", "--push-to", "ana/x"]) == 1
    assert capfd.readouterr().err.startswith("error: no token for the Hub; make one with write access at http://127")


# --- from training to a stranger's machine ---------------------------------------------------------------------------


def command(hub: StandIn, home: Path, *arguments: str, token: str | None = TOKEN, **settings: str) -> Any:
    """A command in a process of its own, in `home`, with an own cache."""
    environment = hub.environment(home / "hf", token) | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"} | settings
    done = [sys.executable, *arguments]
    return subprocess.run(done, cwd=home, env=environment, capture_output=True, text=True, timeout=600, check=False)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, server: StandIn) -> Path:
    """A folder for training, with a greedy recipe; the base and the dataset are on the Hub only."""
    home = tmp_path_factory.mktemp("home")
    recipe = (ROOT / "train/recipes/chunks.yaml").read_text(encoding="utf-8")
    greedy = re.sub(r"^  temperature: .*$", "  temperature: 0.0", recipe, flags=re.M)
    (home / "greedy.yaml").write_text(greedy, encoding="utf-8")
    away = tmp_path_factory.mktemp("away")
    write_model(away / "tiny-llama")
    write_pages(away / "pages")
    code = (
        "from huggingface_hub import HfApi; api = HfApi()\n"
        "api.create_repo('ana/tiny-llama', private=True)\n"
        "api.upload_folder(repo_id='ana/tiny-llama', folder_path='tiny-llama')\n"
    )
    for arguments in (
        ("-c", code),
        ("-m", "builders.build", "--pages", "pages", "--jobs", "1", "--no-cache"),
        ("-m", "builders.publish", "friends-lines", "ana/friends-lines"),
    ):
        done = command(server, away, *arguments)
        assert done.returncode == 0, done.stderr
    return home


TRAIN = (
    *"-m train.sft --dataset chunks --recipe greedy.yaml --data ana/friends-lines --base ana/tiny-llama".split(),
    *"--bits 32 --max-steps 12 --learning-rate 1e-2 --push-to ana/friends-tiny".split(),
)


@pytest.fixture(scope="module")
def pushed(home: Path, server: StandIn) -> Any:
    """One training run, published when done; the log of the Hub at that moment."""
    loud = {"HF_DEBUG": "1", "HF_HUB_VERBOSITY": "debug"}
    return command(server, home, *TRAIN, **loud)


@pytest.mark.slow
def test_sft_pushes_when_done(home: Path, hub: StandIn, pushed: Any) -> None:
    assert pushed.returncode == 0, pushed.stderr
    assert pushed.stdout.index("ana/friends-tiny will be created, private") < pushed.stdout.index("dataset   ana/")
    assert re.search(r"published http://\S+/ana/friends-tiny/tree/v1\.0\.0-[0-9a-f]{8} \(private\)\n$", pushed.stdout)
    [tag] = hub.tags("model", "ana/friends-tiny")
    published = hub.files("model", "ana/friends-tiny", tag)
    output = home / "adapters" / "chunks"
    assert published.keys() - {".gitattributes"} == {path.name for path in output.iterdir() if path.is_file()}
    for name in published.keys() - {".gitattributes", "README.md"}:
        assert published[name] == (output / name).read_bytes(), name
    assert titles(hub, "ana/friends-tiny") == [f"Release {tag}"]
    card = ModelCard(published["README.md"].decode())
    said = [card.data[key] for key in ("library_name", "base_model", "base_model_relation", "datasets")]
    assert said == ["peft", "ana/tiny-llama", "adapter", ["ana/friends-lines"]]
    assert "More Information Needed" not in card.content
    everything = b"".join([*published.values(), pushed.stdout.encode(), pushed.stderr.encode()])
    left = [path.read_bytes() for path in home.rglob("*") if path.is_file()]
    assert TOKEN.encode() not in everything + b"".join(left)


@pytest.mark.slow
def test_a_stranger_gets_the_tokens_of_the_run(home: Path, hub: StandIn, pushed: Any, tmp_path: Path) -> None:
    """The quick-start of the card on the Hub, with an empty cache: same base, bits and dtype, same greedy tokens."""
    [code] = CODE.findall(hub.files("model", "ana/friends-tiny")["README.md"].decode())
    done = command(hub, tmp_path, "-c", code)
    assert done.returncode == 0, done.stderr
    samples = (home / "adapters" / "chunks" / "samples.md").read_text(encoding="utf-8")
    _, prompt, _, base, _, tuned, *_ = re.split(r"```(?:text)?\n", samples)
    assert tuned.strip()
    assert tuned != base
    assert done.stdout.removeprefix(prompt.rstrip()).strip() == tuned.strip()


@pytest.mark.slow
def test_a_failed_push_leaves_the_adapter_and_says_how_to_go_on(home: Path, hub: StandIn, pushed: Any) -> None:
    hub.fault("POST .*/models/ana/another/commit/", status=403, times=99)
    output = home / "adapters" / "chunks"
    before = {path: path.read_bytes() for path in output.rglob("*") if path.is_file()}
    done = command(hub, home, "-m", "train.publish", "adapters/chunks", "ana/another")
    assert done.returncode == 1
    error, remedy = done.stderr.splitlines()[-2:]
    assert error.startswith("error: ana/another: commit: forbidden (403): the token lacks the permission")
    assert remedy.startswith("all is complete in adapters/chunks; to try again: python -m train.publish ")
    assert {path: path.read_bytes() for path in output.rglob("*") if path.is_file()} == before
    hub.clear_faults()
    again = command(hub, home, *remedy.partition("python ")[2].split())
    assert again.returncode == 0, again.stderr
    assert len(titles(hub, "ana/another")) == 1


@pytest.mark.slow
def test_the_dataset_streams_and_downloads_from_its_tag(hub: StandIn, pushed: Any, tmp_path: Path) -> None:
    code = (
        "from datasets import load_dataset; from huggingface_hub import snapshot_download\n"
        "chunks = load_dataset('ana/friends-lines', 'chunks', revision='v1.0.0', streaming=True)\n"
        "print(next(iter(chunks['train']))['id'])\n"
        "print(snapshot_download('ana/friends-lines', repo_type='dataset', revision='v1.0.0'))\n"
    )
    done = command(hub, tmp_path, "-c", code)
    assert done.returncode == 0, done.stderr
    id, folder = done.stdout.splitlines()
    assert re.fullmatch(r"s01e0\d_c\d\d_k\d\d", id)
    for path, content in hub.files("dataset", "ana/friends-lines", "v1.0.0").items():
        assert (Path(folder) / path).read_bytes() == content
