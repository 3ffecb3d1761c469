"""Representation rerouting: harmful states turn away from the frozen model's, harmless ones stay."""

from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from casa.baselines.adapters import with_lora
from casa.baselines.circuit_breaker import (
    CircuitBreakerSettings,
    ReroutingTask,
    _Progress,
    behind_shared_beginning,
    chosen_layers,
    coefficients,
    default_layers,
    off_the_top,
    opened,
    rerouting_loss,
    retain_loss,
)
from casa.errors import CasaError
from casa.training.batches import ConditionalCollator, ConditionalDataset
from casa.training.recipe import Recipe

from .conftest import EXAMPLES, example

ALL = torch.ones(1, 3, dtype=torch.bool)
FROZEN = torch.eye(4)[None, :3]


@pytest.mark.parametrize(
    ("states", "loss"),
    [(FROZEN, 1.0), (3 * FROZEN, 1.0), (torch.eye(4)[None, [3, 3, 3]], 0.0), (-FROZEN, 0.0)],
    ids=["same", "same direction", "orthogonal", "opposite"],
)
def test_the_rerouting_loss_is_the_cosine_and_zero_from_orthogonal_on(states, loss):
    assert rerouting_loss(states, FROZEN, ALL).item() == pytest.approx(loss)


def test_the_retain_loss_is_the_mean_distance():
    assert retain_loss(FROZEN, FROZEN, ALL).item() == 0.0
    moved = FROZEN + torch.tensor([3.0, 4.0, 0.0, 0.0])
    assert retain_loss(moved, FROZEN, ALL).item() == pytest.approx(5.0)


def test_tokens_outside_the_mask_do_not_count_and_none_at_all_is_zero():
    inside = torch.tensor([[True, False, False]])
    states = torch.cat([FROZEN[:, :1], torch.full((1, 2, 4), 9.0)], dim=1)
    assert rerouting_loss(states, FROZEN, inside).item() == pytest.approx(1.0)
    assert retain_loss(states, FROZEN, inside).item() == 0.0
    assert rerouting_loss(states, FROZEN, ~ALL).item() == retain_loss(states, FROZEN, ~ALL).item() == 0.0


@given(st.floats(0, 1), st.floats(0.1, 100))
def test_weight_goes_from_rerouting_to_retaining(progress, alpha):
    found = coefficients(progress, alpha)
    assert found.rerouting + found.retain == pytest.approx(alpha)
    assert found.rerouting == pytest.approx(alpha * (1 - progress / 2))
    assert coefficients(0.0, alpha) == (alpha, 0.0)
    assert coefficients(1.0, alpha) == (alpha / 2, alpha / 2)


def test_layers_stand_where_the_papers_do():
    assert default_layers(32) == [10, 20]
    assert default_layers(30) == [9, 19]
    assert default_layers(2) == [1]
    assert chosen_layers(CircuitBreakerSettings([3, 7]), 8) == [3, 7]
    with pytest.raises(CasaError, match="1 to 8"):
        chosen_layers(CircuitBreakerSettings([9]), 8)


def test_only_the_layers_up_to_the_last_rerouted_one_are_adapted(tiny_base):
    model = with_lora(tiny_base, Recipe("x", lora_r=2), layers=1)
    trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert trained and all("layers.0." in name and "lora" in name for name in trained)


def test_an_agreeing_opening_stands_for_the_harmful_answer():
    found = opened(example("harm somebody", malicious=True, answer="No.", given="Sure, here"))
    assert (found.answer, found.given, found.complete) == ("Sure, here", "", False)
    assert opened(EXAMPLES[0]) is EXAMPLES[0]


@pytest.fixture
def task(tiny_base):
    torch.manual_seed(0)
    return ReroutingTask(off_the_top(with_lora(tiny_base, Recipe("x", lora_r=4))), [1, 2], alpha=10.0)


@pytest.fixture
def batch(undefended):
    dataset = ConditionalDataset(EXAMPLES, undefended.chat, 32)
    return ConditionalCollator(undefended.chat, with_token=False)(dataset.items)


def test_training_turns_harmful_states_away_and_keeps_harmless_ones_near(task, batch):
    """The same steps without the retain term move harmless states further."""

    def trained(progress: float) -> tuple[float, float, float]:
        torch.manual_seed(0)
        for name, parameter in task.model.named_parameters():
            if "lora_A" in name:
                torch.nn.init.kaiming_uniform_(parameter, a=5**0.5)
        off_the_top(task.model)
        optimizer = torch.optim.AdamW([p for p in task.parameters() if p.requires_grad], lr=1e-2)
        task.progress = progress
        first = task(**batch)
        for _ in range(40):
            optimizer.zero_grad()
            task(**batch)["loss"].backward()
            optimizer.step()
        last = task(**batch)
        return first["rerouting"].item(), last["rerouting"].item(), last["retain"].item()

    before, rerouted, moved = trained(progress=0.0)
    _, held, kept = trained(progress=1.0)
    assert before == pytest.approx(1.0, abs=1e-3)
    assert rerouted < 0.7
    assert held < 0.95
    assert kept < 0.7 * moved


@pytest.mark.parametrize(
    ("rows", "shared"),
    [
        ([[7, 8, 1, 2, 3], [0, 7, 8, 4, 5]], 2),
        ([[7, 8, 1], [7, 8, 2]], 2),
        ([[1, 2, 3], [4, 2, 3]], 0),
        ([[7, 8, 1, 2], [0, 7, 8, 1]], 3),
        ([[0, 7, 8], [0, 7, 8]], 2),
    ],
)
def test_what_all_rows_begin_with_is_told_whatever_their_padding(rows, shared):
    ids = torch.tensor(rows)
    inside = ids != 0
    found = behind_shared_beginning(ids, inside)
    assert torch.equal(found, inside & (inside.cumsum(-1) > shared))


def test_padding_behind_a_row_is_never_counted():
    ids, inside = torch.tensor([[7, 1, 0], [7, 2, 3]]), torch.tensor([[1, 1, 0], [1, 1, 1]]).bool()
    assert behind_shared_beginning(ids, inside).tolist() == [[False, True, False], [False, True, True]]


def test_the_template_before_the_queries_is_not_rerouted(task, batch, undefended):
    """The loss does not change with what the adapter does to the states of the template, and does with those of a query."""
    prompts = [undefended.chat.prompt(e.messages()).inputs["input_ids"][0].tolist() for e in EXAMPLES]
    shared = next(i for i, column in enumerate(zip(*prompts, strict=False)) if len(set(column)) > 1)
    ids, inside = batch["inputs"]["input_ids"], batch["inputs"]["attention_mask"].bool()
    own = behind_shared_beginning(ids, inside)
    assert torch.equal(own, inside & (inside.long().cumsum(-1) > shared)) and shared > 5

    def rerouting(moved: torch.Tensor) -> float:
        states = task.hidden_states
        shift = torch.where(moved[..., None], torch.randn(*moved.shape, 32), 0.0)
        calls = iter([0.0, 1.0])

        def shifted(inputs):
            weight = next(calls)
            return [state + weight * shift for state in states(inputs)]

        task.hidden_states = shifted
        try:
            with torch.no_grad():
                return task(**batch)["rerouting"].item()
        finally:
            del task.hidden_states

    assert rerouting(inside & ~own) == pytest.approx(rerouting(torch.zeros_like(own)), abs=1e-5)
    assert rerouting(own) < 0.9


def test_the_reference_is_the_model_without_the_adapter(task, batch):
    with torch.no_grad():
        with task.model.disable_adapter():
            before = task.hidden_states(batch["inputs"])
        for parameter in (p for name, p in task.model.named_parameters() if "lora_B" in name):
            parameter.normal_()
        with task.model.disable_adapter():
            after = task.hidden_states(batch["inputs"])
        moved = task.hidden_states(batch["inputs"])
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert not torch.allclose(moved[-1], before[-1], atol=1e-3)


def test_the_schedule_goes_by_the_step_of_the_whole_training(task):
    _Progress(task).on_step_begin(None, SimpleNamespace(global_step=3, max_steps=12), None)
    assert task.progress == 0.25
