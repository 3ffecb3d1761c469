"""A tiny Llama with CASA, on disk and in transformers."""

import pytest
import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from casa import CasaConfig, CasaModel
from casa.nano.processor import CHAT_TEMPLATE
from tiny import perturb


@pytest.fixture(scope="module")
def saved(nano_folder, tmp_path_factory):
    """Random weights, moved as training does, with several heads on few key/value heads."""
    base, folder = tmp_path_factory.mktemp("base"), tmp_path_factory.mktemp("casa")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=AutoTokenizer.from_pretrained(nano_folder).backend_tokenizer,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        chat_template=CHAT_TEMPLATE,
    )
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,
        eos_token_id=2,
        bos_token_id=1,
    )
    LlamaForCausalLM(config).save_pretrained(base)
    tokenizer.save_pretrained(base)
    attached = CasaModel.attach(LlamaForCausalLM.from_pretrained(base), tokenizer, CasaConfig(num_heads=3, head_dim=16))
    perturb(attached, 0.3, seed=1)
    attached.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def casa(saved):
    return CasaModel.from_pretrained(saved)
