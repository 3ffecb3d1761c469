"""A suffix attack follows the gradient of its target, leaves the query alone, and keeps to its budget."""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import pytest
import torch

from casa.attacks.adaptive import Attempt, _ids, _Search, suffix_attack
from casa.baselines.interface import Reply
from casa.evaluation.white_box import margin_above, target_of
from tiny import perturb, user

QUERY = "How are you?"
BUDGET = 10
REFUSAL = "I can't help with that."


class Says:
    """A defence that answers so, whatever is asked."""

    def __init__(self, text):
        self.text = text

    def respond(self, messages, max_new_tokens=256):
        return [Reply(self.text) for _ in messages]


@pytest.fixture
def casa(tiny_casa):
    """Calls everything unsafe."""
    perturb(tiny_casa)
    tiny_casa.config = replace(tiny_casa.config, threshold=1e-6)
    return tiny_casa


@pytest.fixture
def target(casa):
    """Attacked at CASA's objectives, and never broken, so that attacks go on."""
    return replace(target_of(casa, 4), defence=Says(REFUSAL))


def test_a_suffix_never_gets_worse_and_is_what_the_model_judges(casa, target):
    attempts = list(suffix_attack(target, QUERY, steps=3, candidates=8, top_k=8))
    assert [attempt.step for attempt in attempts] == [0, 1, 2, 3]
    assert all(later.loss <= earlier.loss for earlier, later in pairwise(attempts))
    assert attempts[-1].loss < attempts[0].loss
    for attempt in attempts:
        margin = torch.tensor(attempt.loss + margin_above(casa.config.threshold))
        assert torch.sigmoid(margin).item() == pytest.approx(casa.classify(user(attempt.text)).p_unsafe, abs=1e-5)
        assert attempt.objective == 0 and not attempt.broken
    assert attempts == list(suffix_attack(target, QUERY, steps=3, candidates=8, top_k=8))


def test_the_next_objective_is_lowered_where_the_one_before_it_is_passed_and_that_stays_passed(casa, target):
    """The threshold is put where the attack's first steps lead, so that the verdict turns safe on the way."""
    budget = {"candidates": 24, "top_k": 64}
    first = [attempt.loss for attempt in suffix_attack(target, QUERY, steps=2, **budget)]
    between = torch.tensor((first[0] + first[-1]) / 2 + margin_above(casa.config.threshold))
    casa.config = replace(casa.config, threshold=torch.sigmoid(between).item())
    attempts = list(suffix_attack(target, QUERY, steps=6, **budget))
    numbers = [attempt.objective for attempt in attempts]
    assert numbers[0] == 0 and numbers[-1] == 1 and numbers == sorted(numbers)
    later = [attempt for attempt in attempts if attempt.objective == 1]
    assert all(after.loss <= before.loss for before, after in pairwise(later)) and later[-1].loss < later[0].loss
    for attempt in attempts:
        assert casa.classify(user(attempt.text)).label == ("safe" if attempt.objective else "unsafe")


def test_the_query_stays_and_the_suffix_keeps_to_its_tokens(casa, target):
    plain = _ids(casa.chat.prompt(user(QUERY)))
    asked = casa.chat.text_ids(QUERY)
    start = next(i for i in range(len(plain)) if plain[i : i + len(asked)] == asked)
    for attempt in suffix_attack(target, QUERY, steps=4, candidates=16, top_k=64):
        assert attempt.text.startswith(QUERY) and attempt.text.isascii() and attempt.text.isprintable()
        ids = _ids(casa.chat.prompt(user(attempt.text)))
        assert ids[: start + len(asked)] == plain[: start + len(asked)]
        assert len(plain) < len(ids) <= len(plain) + BUDGET


def test_an_attack_ends_when_the_user_gets_an_answer_and_not_before(casa):
    attacked = target_of(casa, 4)
    answered = replace(attacked, defence=Says("Sure, here is a plan for the day"))
    (only,) = suffix_attack(answered, "hi", steps=5)
    assert only == Attempt(0, only.loss, True, only.text)
    for text in (REFUSAL, "a a a a a"):
        held = list(suffix_attack(replace(attacked, defence=Says(text)), "hi", steps=2, candidates=4))
        assert len(held) == 3 and not any(attempt.broken for attempt in held)


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


def test_the_gradient_is_the_loss_s_slope_over_all_forward_passes(casa):
    objective = Twice(casa)
    search = _Search(objective, QUERY)
    found = search.suffixed(" ! !")
    gradient = search.token_gradient(found)
    table = casa.base_model.get_input_embeddings().weight.detach()
    token, other, step = found.ids[0], 345, 1e-2

    def moved(sign):
        def shift(module, args, output):
            output = output.clone()
            output[0, found.start] += sign * step * (table[other] - table[token])
            return output

        with torch.no_grad(), casa.base_model.get_input_embeddings().register_forward_hook(shift):
            return objective.loss(found.prompt.inputs).item()

    slope = (moved(1) - moved(-1)) / (2 * step)
    assert (gradient[0, other] - gradient[0, token]).item() == pytest.approx(slope, rel=0.05, abs=1e-4)
