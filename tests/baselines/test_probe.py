"""A linear probe on the last prompt position: one prefill decides and begins the answer."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from casa.baselines.probe import Probed, ProbeSettings, cached_last_states, fitted, last_states, load_probe
from casa.errors import CheckpointError, DataError
from casa.model.refusal import FIXED_REFUSAL
from tiny import user

from .conftest import EXAMPLES

CHATS = [user("How are you?"), user("Tell me about trains, please, and about rails"), user("b")]


@settings(max_examples=3, deadline=None)
@given(st.integers(0, 1000))
def test_separable_states_are_separated(seed):
    torch.manual_seed(seed)
    malicious = torch.arange(60) % 2 == 0
    states = torch.randn(60, 8) * torch.logspace(-2, 2, 8)  # widths of very different scale
    states[:, 0] = torch.where(malicious, 0.03, -0.03) + 0.002 * torch.randn(60)
    probe = fitted(states, malicious, seed)
    assert torch.equal(probe(states)[:, 0] > 0, malicious)
    assert not any(parameter.requires_grad for parameter in probe.parameters())


def test_a_given_strength_is_taken_and_a_stronger_one_bounds_the_weights():
    torch.manual_seed(0)
    states, malicious = torch.randn(40, 8), torch.arange(40) % 2 == 0
    norms = [fitted(states, malicious, 0, strength).weight.norm().item() for strength in (1e-4, 1e-1, 1e2)]
    assert norms == sorted(norms) and norms[0] < 0.01 * norms[2]
    with pytest.raises(ValueError, match="> 0"):
        ProbeSettings(0.0)


def test_too_few_examples_of_a_class_are_refused():
    with pytest.raises(DataError, match="at least 5"):
        fitted(torch.randn(8, 4), torch.tensor([True] + [False] * 7), 0)


def probed(undefended, sign: float) -> Probed:
    """A probe that calls everything unsafe (1) or safe (-1)."""
    probe = torch.nn.Linear(32, 1)
    torch.nn.init.zeros_(probe.weight)
    torch.nn.init.constant_(probe.bias, sign)
    return Probed(undefended, probe.requires_grad_(False), 0.5)


def test_states_are_the_last_positions_whatever_the_batch(undefended):
    prompts = [undefended.chat.prompt(chat) for chat in CHATS]
    together = last_states(undefended, prompts)
    for prompt, state in zip(prompts, together, strict=True):
        with torch.no_grad():
            hidden = undefended.model(**prompt.inputs, output_hidden_states=True).hidden_states[-1][0, -1]
        assert torch.allclose(state, hidden, atol=1e-5)
    cached = cached_last_states(undefended, EXAMPLES, 3)
    alone = last_states(undefended, [undefended.chat.prompt(EXAMPLES[3].messages())])
    assert torch.allclose(cached[3], alone[0], atol=1e-5)


def test_what_is_safe_is_answered_as_without_the_probe_prefill_included(undefended):
    chats = [*CHATS, [*CHATS[0], {"role": "assistant", "content": "Sure, here"}]]
    replies = probed(undefended, -1.0).respond(chats, 5)
    assert [reply.text for reply in replies] == undefended.respond(chats, 5)
    assert all(reply.verdict.label == "safe" for reply in replies)


def test_what_is_unsafe_is_refused_without_a_word_of_the_model(undefended):
    steps = []
    handle = undefended.model.register_forward_hook(lambda module, args, output: steps.append(output))
    replies = probed(undefended, 1.0).respond([*CHATS[:1], [*CHATS[1], {"role": "assistant", "content": "Sure"}]], 5)
    handle.remove()
    assert [reply.text for reply in replies] == [FIXED_REFUSAL] * 2
    assert len(steps) == 2, "a prefill for each of the two groups, and no decoding"


def test_answering_decides_as_classifying_does(undefended):
    found = last_states(undefended, [undefended.chat.prompt(chat) for chat in CHATS])
    probe = torch.nn.Linear(32, 1)
    torch.nn.init.zeros_(probe.bias)
    with torch.no_grad():
        probe.weight.copy_((found[0] - found[1:].mean(0))[None])
        probe.bias.fill_(-float(probe.weight @ (found[0] + found[1:].mean(0)) / 2))
    defence = Probed(undefended, probe.requires_grad_(False), 0.5)
    replies, verdicts = defence.respond(CHATS, 4), defence.classify(CHATS)
    assert [reply.verdict.label for reply in replies] == [verdict.label for verdict in verdicts]
    assert {verdict.label for verdict in verdicts} == {"safe", "unsafe"}
    assert [r.verdict.p_unsafe for r in replies] == pytest.approx([v.p_unsafe for v in verdicts], abs=1e-5)


def test_a_state_that_is_no_number_is_unsafe(undefended):
    (verdict,) = probed(undefended, -1.0).verdicts(torch.full((1, 32), torch.nan))
    assert verdict.label == "unsafe" and verdict.failed


def test_a_probe_with_a_weight_that_is_no_number_is_refused(tmp_path):
    save_file({"weight": torch.full((1, 4), torch.inf), "bias": torch.zeros(1)}, tmp_path / "probe.safetensors")
    with pytest.raises(CheckpointError, match="not finite"):
        load_probe(tmp_path / "probe.safetensors")
