"""A suffix attack follows the gradient of its target, leaves the query alone, and keeps to its budget."""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import pytest
import torch

from casa.attacks.adaptive import _ids, _Query, _suffixed, _token_gradient, suffix_attack
from casa.evaluation.white_box import CasaTarget
from tiny import perturb, user

QUERY = "How are you?"
BUDGET = 10


@pytest.fixture
def casa(tiny_casa):
    """Calls everything unsafe, so that attacks go on."""
    perturb(tiny_casa)
    tiny_casa.config = replace(tiny_casa.config, threshold=1e-6)
    return tiny_casa


def test_a_suffix_never_gets_worse_and_is_what_the_model_judges(casa):
    attempts = list(suffix_attack(CasaTarget(casa), QUERY, steps=3, candidates=8, top_k=8))
    assert [attempt.step for attempt in attempts] == [0, 1, 2, 3]
    assert all(later.loss <= earlier.loss for earlier, later in pairwise(attempts))
    assert attempts[-1].loss < attempts[0].loss
    for attempt in attempts:
        p_unsafe = casa.classify(user(attempt.text)).p_unsafe
        assert torch.sigmoid(torch.tensor(attempt.loss)).item() == pytest.approx(p_unsafe, abs=1e-5)
        assert not attempt.broken
    assert attempts == list(suffix_attack(CasaTarget(casa), QUERY, steps=3, candidates=8, top_k=8))


def test_the_query_stays_and_the_suffix_keeps_to_its_tokens(casa):
    plain = _ids(casa.chat.prompt(user(QUERY)))
    asked = casa.chat.text_ids(QUERY)
    start = next(i for i in range(len(plain)) if plain[i : i + len(asked)] == asked)
    for attempt in suffix_attack(CasaTarget(casa), QUERY, steps=4, candidates=16, top_k=64):
        assert attempt.text.startswith(QUERY) and attempt.text.isascii() and attempt.text.isprintable()
        ids = _ids(casa.chat.prompt(user(attempt.text)))
        assert ids[: start + len(asked)] == plain[: start + len(asked)]
        assert len(plain) < len(ids) <= len(plain) + BUDGET


def test_an_attack_ends_when_the_verdict_is_safe(tiny_casa):
    tiny_casa.config = replace(tiny_casa.config, threshold=1.0)
    (only,) = suffix_attack(CasaTarget(tiny_casa), "hi", steps=5)
    assert only.broken


@dataclass(frozen=True)
class Twice:
    """Takes two forward passes, of which the second is longer."""

    casa: Any

    @property
    def model(self):
        return self.casa.base_model

    @property
    def chat(self):
        return self.casa.chat

    def loss(self, inputs):
        longer = {name: torch.cat([tensor, tensor[:, -1:]], dim=1) for name, tensor in inputs.items()}
        return sum(self.model(**given, use_cache=False).logits[:, -1, 7] for given in (inputs, longer))

    def broken(self, messages):
        return False


def test_the_gradient_is_the_loss_s_slope_over_all_forward_passes(casa):
    target = Twice(casa)
    found = _suffixed(target, _Query(QUERY, _ids(casa.chat.prompt(user(QUERY)))), " ! !")
    gradient = _token_gradient(target, found)
    table = casa.base_model.get_input_embeddings().weight.detach()
    token, other, step = found.ids[0], 345, 1e-2

    def moved(sign):
        def shift(module, args, output):
            output = output.clone()
            output[0, found.start] += sign * step * (table[other] - table[token])
            return output

        with torch.no_grad(), casa.base_model.get_input_embeddings().register_forward_hook(shift):
            return target.loss(found.prompt.inputs).item()

    slope = (moved(1) - moved(-1)) / (2 * step)
    assert (gradient[0, other] - gradient[0, token]).item() == pytest.approx(slope, rel=0.05, abs=1e-4)
