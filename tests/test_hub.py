"""What would be sent to the hub, what is asked of it, and that it is asked for nothing where no hub id is named."""

import json
import shutil
import socket
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import pytest
import yaml
from huggingface_hub.errors import LocalEntryNotFoundError, RepositoryNotFoundError

from casa import CasaConfig, CasaModel
from casa.errors import CheckpointError
from casa.evaluation.table_parts import percent
from casa.hashing import sha256_of
from casa.hub import push
from casa.model.bases import load_base, load_processor
from casa.model.checkpoint import read_config
from casa.model.quantization import kept_layers
from casa.training.plan import plan_recipe
from tiny import make_tiny_base, user

RESULTS = Path(__file__).parents[1] / "results"
NANO = Path(__file__).parents[1] / "recipes" / "nano.yaml"
OLD, NEW = "a" * 40, "b" * 40
FILES = {
    "README.md",
    "adapter_config.json",
    "adapter_model.safetensors",
    "casa_config.json",
    "safety_attention.safetensors",
}


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A hub in a folder; what it was asked is in `calls`."""
    store, calls = tmp_path / "hub", []

    class FakeApi:
        def __init__(self, token=None):
            calls.append(("token", token))

        def create_repo(self, repo_id, **options):
            calls.append(("create_repo", repo_id, options))

        def upload_folder(self, *, repo_id, folder_path, allow_patterns, **options):
            calls.append(("upload_folder", repo_id, options))
            (store / repo_id).mkdir(parents=True)
            for name in allow_patterns:
                shutil.copy(Path(folder_path) / name, store / repo_id / name)
            return SimpleNamespace(pr_url=None, commit_url="https://huggingface.co/x")

    def snapshot_download(repo_id, **options):
        calls.append(("snapshot_download", repo_id, options))
        if options.get("local_files_only"):
            raise LocalEntryNotFoundError("nothing in the cache")
        if not (store / repo_id).is_dir():
            raise RepositoryNotFoundError("404", response=SimpleNamespace(headers={}, request=None))
        return str(store / repo_id)

    monkeypatch.setattr(huggingface_hub, "HfApi", FakeApi)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    return SimpleNamespace(store=store, calls=calls)


@pytest.fixture
def run(tiny_casa_folder):
    """The folder of a finished run, with what a run leaves beside the model."""
    (tiny_casa_folder / "checkpoint-2").mkdir()
    (tiny_casa_folder / "base_answers.jsonl").write_text("{}")
    claim = {"recipe": {"benign_answers": "base"}, "data": {"queries.jsonl": "ab" * 32}}
    (tiny_casa_folder / "run.json").write_text(json.dumps(claim))
    shutil.copy(RESULTS / "nano_training.json", tiny_casa_folder / "summary.json")
    return tiny_casa_folder


def test_what_is_sent_is_the_model_and_its_card_and_it_comes_back_the_same(hub, run, tiny_casa):
    base = json.loads((run / "casa_config.json").read_text())["base_model"]["name"]
    assert push(run, "me/model", base_model="org/base", private=True) == "https://huggingface.co/me/model"
    sent = hub.store / "me" / "model"
    assert {path.name for path in sent.iterdir()} == FILES
    assert ("create_repo", "me/model", {"private": True, "exist_ok": True}) in hub.calls
    assert read_config(sent)["base_model"]["name"] == "org/base", "and its checksums hold"
    assert base not in "".join(path.read_text() for path in sent.glob("*.json"))
    loaded = CasaModel.from_pretrained("me/model", base_model=base, revision="v1", token="secret")
    assert hub.calls[-1] == ("snapshot_download", "me/model", hub.calls[-1][2])
    asked = hub.calls[-1][2]
    assert (asked["revision"], asked["token"]) == ("v1", "secret")
    assert loaded.classify(user("hi")).p_unsafe == pytest.approx(tiny_casa.classify(user("hi")).p_unsafe, abs=1e-5)


def test_a_model_in_memory_is_sent_too(hub, tiny_casa):
    tiny_casa.push_to_hub("me/model", base_model="org/base", token="secret")
    assert {path.name for path in (hub.store / "me" / "model").iterdir()} == FILES
    assert ("token", "secret") in hub.calls


def test_the_card_holds_data_numbers_and_limits(hub, run, tmp_path):
    result = json.loads((RESULTS / "nano_text.json").read_text())
    result["adapter_sha256"] = sha256_of(run / "adapter_model.safetensors")
    (tmp_path / "mine.json").write_text(json.dumps(result))
    push(run, "me/model", base_model="org/base", results=[tmp_path / "mine.json"])
    card = (hub.store / "me" / "model" / "README.md").read_text()
    matter = yaml.safe_load(card.split("---")[1])
    assert matter["base_model"] == "org/base" and matter["library_name"] == "peft"
    assert percent(result["flagged_unsafe"]["malicious"]) in card and "AUROC of p_unsafe" in card
    trained = json.loads((RESULTS / "nano_training.json").read_text())
    examples, run_by = trained["examples"], f"seed {trained['seed']}, {trained['steps']} steps"
    assert (
        f"{examples['malicious']} malicious and {examples['benign']} benign" in card and "queries.jsonl | `abab" in card
    )
    for part in ("## Intended use", "## Limits", "In plain PEFT", 'from_pretrained("me/model")', run_by):
        assert part in card, part


def test_without_results_the_card_says_that_nothing_was_measured(hub, tiny_casa_folder):
    push(tiny_casa_folder, "me/model", base_model="org/base")
    card = (hub.store / "me" / "model" / "README.md").read_text()
    assert "None have been measured" in card and card.count("Not recorded here.") == 2


def test_a_card_that_is_written_already_is_kept(hub, run):
    (run / "README.md").write_text("mine")
    push(run, "me/model", base_model="org/base")
    assert (hub.store / "me" / "model" / "README.md").read_text() == "mine"


def test_results_of_another_adapter_are_refused_before_anything_is_sent(hub, run):
    with pytest.raises(CheckpointError, match="another adapter"):
        push(run, "me/model", base_model="org/base", results=[RESULTS / "nano_text.json"])
    assert not hub.calls


def test_a_base_model_that_nobody_else_has_is_refused(hub, run):
    with pytest.raises(CheckpointError, match="base_model"):
        push(run, "me/model")
    assert not hub.calls


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("me/none", {}, "token"),
        ("me/none", {"local_files_only": True}, "HF_HUB_OFFLINE"),
    ],
)
def test_a_model_that_cannot_be_fetched_says_why(hub, source, options, message):
    with pytest.raises(CheckpointError, match=message):
        CasaModel.from_pretrained(source, **options)


def test_a_name_that_is_no_hub_id_is_told_apart_from_one_that_is_missing():
    with pytest.raises(CheckpointError, match="nor a hub id"):
        CasaModel.from_pretrained("no/such/folder")


def test_a_folder_needs_no_network(tiny_casa_folder, monkeypatch):
    def refused(*args, **kwargs):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    monkeypatch.setattr(socket.socket, "connect", refused)
    assert CasaModel.from_pretrained(tiny_casa_folder).classify(user("hi"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory, nano_folder):
    """The hub's cache with org/base at two commits: the tag v1 is the old one, main has moved on."""
    cache = tmp_path_factory.mktemp("cache")
    repository = cache / "models--org--base"
    (repository / "refs").mkdir(parents=True)
    for seed, (name, commit) in enumerate({"v1": OLD, "main": NEW}.items()):
        make_tiny_base(nano_folder, seed).save_pretrained(repository / "snapshots" / commit)
        load_processor("casa-nano").save_pretrained(repository / "snapshots" / commit)
        (repository / "refs" / name).write_text(commit)
    return cache


@pytest.fixture
def trained_on_v1(cache, tmp_path):
    """A model on the tag v1 of its base model."""
    where = {"revision": "v1", "cache_dir": cache}
    casa = CasaModel.attach(load_base("org/base", **where), load_processor("org/base", **where), CasaConfig(), r=2)
    casa.save_pretrained(tmp_path / "casa")
    return casa.eval(), tmp_path / "casa"


def test_a_model_finds_the_commit_of_its_base_model_again_after_the_branch_has_moved(trained_on_v1, cache):
    casa, folder = trained_on_v1
    assert read_config(folder)["base_model"]["revision"] == OLD
    loaded = CasaModel.from_pretrained(folder, cache_dir=cache)
    assert loaded.classify(user("hi")).p_unsafe == pytest.approx(casa.classify(user("hi")).p_unsafe, abs=1e-5)


def test_another_revision_of_the_base_model_can_be_named_and_is_compared(trained_on_v1, cache):
    _, folder = trained_on_v1
    assert CasaModel.from_pretrained(folder, cache_dir=cache, base_revision="v1")
    with pytest.raises(CheckpointError, match="other weights"):
        CasaModel.from_pretrained(folder, cache_dir=cache, base_revision="main")


def test_a_base_model_that_is_sent_under_another_name_is_not_said_to_have_the_commit_of_this_one(hub, trained_on_v1):
    _, folder = trained_on_v1
    push(folder, "me/same")
    push(folder, "me/moved", base_model="org/copy")
    assert read_config(hub.store / "me" / "same")["base_model"]["revision"] == OLD
    assert "revision" not in read_config(hub.store / "me" / "moved")["base_model"]


def test_which_layers_stay_whole_is_read_from_the_named_cache_and_revision(cache):
    assert "lm_head" in kept_layers("org/base", cache_dir=cache, revision="v1")
    with pytest.raises(OSError, match="cached files"):
        kept_layers("org/base", cache_dir=cache, revision="v2")


def test_a_recipe_names_the_revision_of_its_base_model(cache, tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
    size = ("--max_train_examples", "24", "--per_device_train_batch_size", "4", "--output_dir", str(tmp_path / "run"))
    problems = {
        name: plan_recipe(NANO, ["--base_model", "org/base", "--base_revision", name, *size]).problems
        for name in ("v1", "v2")
    }
    assert problems["v1"] == []
    assert [problem.split(":")[0] for problem in problems["v2"]] == ["base model"]
