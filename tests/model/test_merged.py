"""A CASA model where CASA's code is not installed: in plain PEFT, and merged in plain transformers."""

import pytest
import torch
from peft import PeftModel
from transformers import AutoProcessor, Qwen2_5OmniThinkerForConditionalGeneration

from casa import CasaModel
from casa.errors import CheckpointError
from casa.model.merged import write_merged
from tiny import make_tiny_base, perturb, user


@pytest.fixture
def trained_folder(tiny_casa, tiny_casa_folder):
    """A folder whose adapter changes something."""
    perturb(tiny_casa)
    tiny_casa.save_pretrained(tiny_casa_folder)
    return tiny_casa_folder


@torch.inference_mode()
def test_the_adapter_gives_the_same_logits_in_plain_peft(trained_folder, tiny_casa, nano_folder):
    inputs = tiny_casa.chat.prompt(user("hello")).inputs
    base = make_tiny_base(nano_folder)
    before = base(**inputs).logits.clone()
    plain = PeftModel.from_pretrained(base, str(trained_folder)).eval()
    expected = tiny_casa.base_model(**inputs).logits
    torch.testing.assert_close(plain(**inputs).logits, expected, rtol=1e-4, atol=1e-4)
    assert (expected - before).abs().max() > 0.01


@torch.inference_mode()
def test_a_merged_checkpoint_in_plain_transformers_begins_with_the_likelier_safety_token(trained_folder, tmp_path):
    casa = CasaModel.from_pretrained(trained_folder)
    write_merged(casa, tmp_path / "merged")
    plain = Qwen2_5OmniThinkerForConditionalGeneration.from_pretrained(tmp_path / "merged").eval()
    processor = AutoProcessor.from_pretrained(tmp_path / "merged")
    assert processor.tokenizer.convert_tokens_to_ids(["<|safe|>", "<|unsafe|>"]) == list(casa.tokens)
    inputs = casa.chat.prompt(user("hello")).inputs
    logits = casa.base_model(**inputs).logits
    torch.testing.assert_close(plain(**inputs).logits, logits, rtol=1e-4, atol=1e-4)
    new = plain.generate(**inputs, max_new_tokens=3, do_sample=False)[0, inputs["input_ids"].shape[1] :]
    safe, unsafe = casa.tokens
    likelier = unsafe if logits[0, -1, unsafe] > logits[0, -1, safe] else safe
    assert logits[0, -1].argmax() not in casa.tokens, "unrestricted, another token would come first"
    assert new[0] == likelier
    assert casa.base_model.generation_config.begin_suppress_tokens is None, "the model in memory is as it was"


def test_an_interrupted_writing_leaves_nothing(trained_folder, tmp_path, monkeypatch):
    casa = CasaModel.from_pretrained(trained_folder)
    monkeypatch.setattr(casa.processor, "save_pretrained", lambda folder: 1 / 0)
    before = set(tmp_path.iterdir())
    with pytest.raises(ZeroDivisionError):
        write_merged(casa, tmp_path / "merged")
    assert set(tmp_path.iterdir()) == before


def test_what_is_not_merged_or_would_overwrite_is_refused(trained_folder, tmp_path):
    with pytest.raises(CheckpointError, match="merge=True"):
        write_merged(CasaModel.from_pretrained(trained_folder, merge=False), tmp_path / "new")
    with pytest.raises(CheckpointError, match="exists"):
        write_merged(CasaModel.from_pretrained(trained_folder), tmp_path)
