"""The right class is found for a checkpoint, and what cannot be taken is refused."""

import pytest
import transformers as hf

from casa.model.bases import empty_base


def test_a_model_that_transformers_lists_among_sequence_models_is_found(tmp_path):
    small = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = hf.AudioFlamingo3Config(text_config={"model_type": "qwen2", **small}, audio_config=small)
    config.save_pretrained(tmp_path)
    assert type(empty_base(str(tmp_path))) is hf.AudioFlamingo3ForConditionalGeneration


def test_an_encoder_with_a_decoder_is_not_taken(tmp_path):
    hf.T5Config(d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="T5Config"):
        empty_base(str(tmp_path))
