"""The margin is that of the verdict, for one prompt and for many, and has a gradient through v_s too."""

from dataclasses import replace

import pytest
import torch

from casa.model.margin import gated_margin
from tiny import perturb, user

CHATS = [user("How are you?"), user("Tell me about trains, please, and about rails")]


@pytest.mark.parametrize("gate", ["log", "none"])
def test_its_sigmoid_is_the_verdicts_probability_in_a_padded_batch_too(tiny_casa, gate):
    perturb(tiny_casa)
    tiny_casa.config = replace(tiny_casa.config, gate=gate)
    margins = gated_margin(tiny_casa, tiny_casa.collate([tiny_casa.chat.prompt(chat) for chat in CHATS]))
    assert margins.shape == (2,)
    expected = [verdict.p_unsafe for verdict in tiny_casa.classify(CHATS)]
    assert torch.sigmoid(margins).tolist() == pytest.approx(expected, abs=1e-5)


def test_gradients_reach_the_embeddings_through_v_s_too(tiny_casa):
    def gradient():
        leaves = []
        embedding = tiny_casa.base_model.get_input_embeddings()
        with embedding.register_forward_hook(
            lambda module, args, output: leaves.append(output.detach().requires_grad_(True)) or leaves[0]
        ):
            margin = gated_margin(tiny_casa, tiny_casa.chat.prompt(CHATS[0]).inputs)
        return torch.autograd.grad(margin.sum(), leaves)[0]

    whole = gradient()
    tiny_casa.config = replace(tiny_casa.config, gate="none")
    assert whole.abs().max() > 0
    assert not torch.allclose(whole, gradient())
