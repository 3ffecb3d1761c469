"""Teaching ends, learns, and goes on from a checkpoint as if nothing had happened."""

import json
import shutil
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoProcessor

from casa.data.reading import read_examples
from casa.errors import CasaError, CheckpointError
from casa.nano.align.recipe import AlignRecipe
from casa.nano.align.train import Training, run_align
from tiny import make_tiny_base

KINDS = {"step", "text", "picture", "sound", "picture repeated", "sound repeated", "scene"}
RECIPE = Path(__file__).parents[3] / "recipes" / "nano_align.yaml"


@pytest.fixture(scope="module")
def base(nano_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    make_tiny_base(nano_folder).save_pretrained(folder)
    AutoProcessor.from_pretrained(nano_folder).save_pretrained(folder)
    return folder


def few_examples(sources):
    examples = [example for example in read_examples(sources) if not example.malicious]
    return [e for split in ("train", "dev") for e in [e for e in examples if e.split == split][:30]]


@pytest.fixture(autouse=True)
def few_instructions(monkeypatch):
    monkeypatch.setattr("casa.nano.align.train.read_examples", few_examples)


def overrides(base, output, *more):
    small = ("--steps", "4", "--batch_size", "3", "--answer_tokens", "4", "--dev_size", "2", "--dev_steps", "2")
    return ["--base_model", str(base), "--output_dir", str(output), *small, "--save_steps", "2", "--lora_r", "2", *more]


def weights(folder):
    return {**load_file(folder / "adapter_model.safetensors"), **load_file(folder / "blanks.safetensors")}


@pytest.fixture(scope="module")
def whole(base, tmp_path_factory):
    output = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("casa.nano.align.train.read_examples", few_examples)
        summary = run_align(RECIPE, overrides(base, output))
    return output, summary


def test_a_run_leaves_adapter_blanks_and_a_curve(whole):
    output, summary = whole
    assert [point["step"] for point in summary["curve"]] == [0, 2, 4]
    assert set(summary["curve"][0]) == KINDS
    assert json.loads((output / "summary.json").read_text())["step"] == 4
    assert set(load_file(output / "blanks.safetensors")) == {"picture", "sound"}


def test_an_interrupted_run_ends_with_the_same_weights(whole, base, tmp_path, monkeypatch):
    learn = Training.learn

    def interrupted(self, batch):
        if self.state["step"] == 3:
            raise KeyboardInterrupt
        return learn(self, batch)

    monkeypatch.setattr(Training, "learn", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_align(RECIPE, overrides(base, tmp_path))
    monkeypatch.setattr(Training, "learn", learn)
    run_align(RECIPE, overrides(base, tmp_path))
    expected, found = weights(whole[0]), weights(tmp_path)
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_a_folder_belongs_to_one_recipe(whole, base):
    with pytest.raises(CasaError, match="another run"):
        run_align(RECIPE, overrides(base, whole[0], "--noise", "0.5"))


def test_a_run_goes_on_from_another_and_without_scenes_is_not_asked_about_them(whole, base, tmp_path):
    more = ("--init_from", str(whole[0]), "--scene_share", "0", "--steps", "1")
    summary = run_align(RECIPE, overrides(base, tmp_path / "run", *more))
    assert set(summary["curve"][0]) == KINDS - {"scene"}
    assert [run["curve"] for run in summary["runs_before"]] == [whole[1]["curve"]]
    assert summary["curve"][0]["text"] == pytest.approx(whole[1]["curve"][-1]["text"], abs=1e-5)


def test_a_run_on_another_language_model_is_no_start(whole, base, tmp_path):
    start = tmp_path / "start"
    shutil.copytree(whole[0], start)
    summary = json.loads((start / "summary.json").read_text())
    summary["base"]["fingerprint"] = "another"
    (start / "summary.json").write_text(json.dumps(summary))
    with pytest.raises(CheckpointError, match="has other weights"):
        run_align(RECIPE, overrides(base, tmp_path / "run", "--init_from", str(start)))


def started_from(whole, base, tmp_path, change):
    """The adapter of a run of no steps that goes on from one whose weights were changed."""
    start = tmp_path / "start"
    shutil.copytree(whole[0], start)
    weights = load_file(start / "adapter_model.safetensors")
    save_file(change(weights), start / "adapter_model.safetensors")
    run_align(RECIPE, overrides(base, tmp_path / "run", "--init_from", str(start), "--steps", "0"))
    return weights, load_file(tmp_path / "run" / "adapter_model.safetensors")


def test_what_an_earlier_run_left_alone_is_adapted_from_now_on(whole, base, tmp_path):
    earlier, found = started_from(
        whole, base, tmp_path, lambda weights: {name: w for name, w in weights.items() if ".mlp." not in name}
    )
    assert set(found) == set(earlier)
    fresh = [name for name in found if ".mlp." in name and "lora_B" in name]
    assert fresh and not any(found[name].any() for name in fresh)
    assert all(torch.equal(found[name], earlier[name]) for name in found if ".mlp." not in name)


def test_an_adapter_of_modules_that_the_model_lacks_is_no_start(whole, base, tmp_path):
    with pytest.raises(CheckpointError, match="this model lacks"):
        started_from(
            whole, base, tmp_path, lambda weights: {name.replace("q_proj", "z_proj"): w for name, w in weights.items()}
        )


def test_an_unfinished_run_is_no_start(base, tmp_path):
    with pytest.raises(CasaError, match="no finished run"):
        run_align(RECIPE, overrides(base, tmp_path / "run", "--init_from", str(tmp_path)))


def test_rates_rise_and_fall_to_zero():
    recipe = AlignRecipe("x", steps=100, warmup_steps=10)
    rates = [recipe.rate(step) for step in range(101)]
    assert rates[0] < rates[5] < rates[10] <= 1 and rates[100] == 0
    assert all(later <= earlier for earlier, later in pairwise(rates[11:]))


def test_blanks_of_trained_towers_stay_as_they_are(base, tmp_path):
    vision, audio = tmp_path / "vision", tmp_path / "audio"
    towers = {vision / "heads.safetensors": torch.full((32,), 0.25), audio / "tower.safetensors": torch.ones(32)}
    for file, blank in towers.items():
        file.parent.mkdir()
        save_file({"blank": blank.to(torch.bfloat16)}, file)
    named = ("--vision_run", str(vision), "--audio_run", str(audio), "--steps", "1")
    run_align(RECIPE, overrides(base, tmp_path / "run", *named))
    blanks = load_file(tmp_path / "run" / "blanks.safetensors")
    assert blanks["picture"].tolist() == [0.25] * 32 and blanks["sound"].tolist() == [1.0] * 32


def test_a_tower_that_is_not_finished_is_refused(base, tmp_path):
    with pytest.raises(CasaError, match=r"no finished tower.*heads\.safetensors"):
        run_align(RECIPE, overrides(base, tmp_path / "run", "--vision_run", str(tmp_path)))


def test_real_media_need_the_tower_inside_the_base_model(base, tmp_path):
    tower = load_file(base / "model.safetensors")
    prefix = "audio_tower."
    weights = {name.removeprefix(prefix): value + 1 for name, value in tower.items() if name.startswith(prefix)}
    assert weights
    (tmp_path / "audio").mkdir()
    save_file({**weights, "blank": torch.zeros(32)}, tmp_path / "audio" / "tower.safetensors")
    more = ("--audio_run", str(tmp_path / "audio"), "--real_share", "1")
    with pytest.raises(CasaError, match="does not hold the tower"):
        run_align(RECIPE, overrides(base, tmp_path / "run", *more))
