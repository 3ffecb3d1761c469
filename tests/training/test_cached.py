from copy import deepcopy

import pytest
import torch

from casa.data.reading import Example
from casa.training.cached import Decision, cache_states, fit
from casa.training.dev import area_under_roc

WORDS = {False: ["trains", "bread", "rivers", "music"], True: ["harm", "fraud", "arson", "malice"]}
EXAMPLES = [
    Example(f"{word}{i}", f"{i} tell me of {word} please {'now ' * (i % 3)}", label, None, "plain", word, "train", "t")
    for label, words in WORDS.items()
    for word in words
    for i in range(6)
]


@pytest.mark.parametrize("hidden_state", ["final", "pre_norm"])
def test_cached_states_give_the_models_own_verdict(tiny_casa, hidden_state):
    from dataclasses import replace

    tiny_casa.config = replace(tiny_casa.config, hidden_state=hidden_state)
    states = cache_states(tiny_casa, EXAMPLES[:5], batch_size=2)
    for example, hidden in zip(EXAMPLES[:5], states.hidden, strict=True):
        risk = tiny_casa.safety_attention(hidden[None], torch.ones(1, len(hidden)))
        verdict = tiny_casa.classify([{"role": "user", "content": example.text}])
        assert risk.risk.item() == pytest.approx(verdict.risk, abs=1e-5)
    gated, _ = Decision(tiny_casa.safety_attention, tiny_casa.config)(states)
    verdicts = [tiny_casa.classify([{"role": "user", "content": e.text}]) for e in EXAMPLES[:5]]
    assert gated.softmax(-1)[:, 1].tolist() == pytest.approx([v.p_unsafe for v in verdicts], abs=1e-5)


def test_token_rows_can_be_trained_too_and_start_where_the_model_is(tiny_casa):
    states = cache_states(tiny_casa, EXAMPLES, batch_size=8)
    rows = tiny_casa.base_model.get_output_embeddings().weight[list(tiny_casa.tokens)]
    trained = Decision(tiny_casa.safety_attention, tiny_casa.config, rows)
    fixed = Decision(tiny_casa.safety_attention, tiny_casa.config)
    assert torch.allclose(trained(states)[0], fixed(states)[0], atol=1e-4)
    before = trained.loss(states).item()
    fit(trained, states, 20, 1e-3, 0.01, token_learning_rate=1e-2, batch_size=16)
    assert trained.loss(states).item() < before
    assert not torch.equal(trained.rows, rows)


def test_fitting_separates_the_classes_and_touches_safety_attention_only(tiny_casa):
    states = cache_states(tiny_casa, EXAMPLES, batch_size=8)
    frozen = {name: p.clone() for name, p in tiny_casa.model.named_parameters()}

    def area() -> float:
        risks = [v.risk for v in tiny_casa.classify([[{"role": "user", "content": e.text}] for e in EXAMPLES])]
        labelled = list(zip(EXAMPLES, risks, strict=True))
        return area_under_roc([r for e, r in labelled if e.malicious], [r for e, r in labelled if not e.malicious])

    before = area()
    fit(
        Decision(tiny_casa.safety_attention, tiny_casa.config),
        states,
        epochs=60,
        learning_rate=1e-2,
        weight_decay=0.01,
        batch_size=16,
    )
    assert area() > max(before, 0.95)
    assert all(torch.equal(p, frozen[name]) for name, p in tiny_casa.model.named_parameters())


def test_a_batch_read_in_parts_teaches_the_same(tiny_casa, monkeypatch):
    states = cache_states(tiny_casa, EXAMPLES, batch_size=8)
    fitted = []
    for most_tokens in (10_000, 40):  # one part; some three prompts a part
        monkeypatch.setattr("casa.training.cached._MOST_TOKENS", most_tokens)
        attention = deepcopy(tiny_casa.safety_attention)
        fit(
            Decision(attention, tiny_casa.config), states, epochs=2, learning_rate=1e-3, weight_decay=0.0, batch_size=16
        )
        fitted.append(torch.cat([p.flatten() for p in attention.parameters()]))
    start = torch.cat([p.flatten() for p in tiny_casa.safety_attention.parameters()])
    assert not torch.allclose(fitted[0], start, atol=1e-4)
    assert torch.allclose(*fitted, atol=1e-4)
