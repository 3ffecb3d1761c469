import numpy as np
import torch

from casa.evaluation.nano_states import last_states, plane_of


def test_states_are_those_of_the_last_prompt_position_in_the_order_of_the_texts(tiny_casa):
    texts = ["a long text about trains and rails", "hi", "three words here"]
    states = last_states(tiny_casa.base_model, tiny_casa.chat, texts, batch_size=2)
    for text, state in zip(texts, states, strict=True):
        inputs = tiny_casa.chat.prompt([{"role": "user", "content": text}]).inputs
        with torch.no_grad():
            hidden = tiny_casa.base_model.model(**inputs).last_hidden_state[0, -1]
        assert np.allclose(state, hidden.numpy(), atol=1e-4)


def test_the_plane_separates_what_lies_apart():
    states = np.random.default_rng(0).normal(0, 0.1, (8, 6))
    states[:4, 0] += 5
    plane = plane_of(states, ["a"] * 4 + ["b"] * 4)
    first = {kind: np.array(points)[:, 0] for kind, points in plane["points"].items()}
    assert abs(first["a"].mean() - first["b"].mean()) > 4
    assert plane["explained"][0] > 0.9
