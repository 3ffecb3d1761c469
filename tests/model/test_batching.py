"""Prompts become batches and come out of them as they went in."""

from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from casa.model.batching import (
    as_model_takes,
    by_answer,
    by_media,
    by_prefill,
    collate_prompts,
    until_stop,
    with_given_ids,
    with_text,
)
from casa.model.messages import Prompt


def test_collating_pads_tokens_on_the_left_and_joins_media():
    a = {"input_ids": torch.tensor([[1, 2]]), "attention_mask": torch.ones(1, 2), "pixel_values": torch.zeros(4, 6)}
    b = {"input_ids": torch.tensor([[3]]), "attention_mask": torch.ones(1, 1), "pixel_values": torch.ones(2, 6)}
    batch = collate_prompts([a, b], pad_id=9)
    assert batch["input_ids"].tolist() == [[1, 2], [9, 3]]
    assert batch["attention_mask"].tolist() == [[1, 1], [0, 1]]
    assert batch["pixel_values"].shape == (6, 6)


def test_given_ids_are_text_behind_every_prompt_and_media_stay():
    inputs = {
        "input_ids": torch.tensor([[7, 8], [0, 9]]),
        "attention_mask": torch.tensor([[1, 1], [0, 1]]),
        "mm_token_type_ids": torch.tensor([[1, 1], [0, 1]]),
        "pixel_values": torch.ones(3, 2),
    }
    longer = with_given_ids(inputs, [5, 6])
    assert longer["input_ids"].tolist() == [[7, 8, 5, 6], [0, 9, 5, 6]]
    assert longer["attention_mask"].tolist() == [[1, 1, 1, 1], [0, 1, 1, 1]]
    assert longer["mm_token_type_ids"].tolist() == [[1, 1, 0, 0], [0, 1, 0, 0]]
    assert longer["pixel_values"] is inputs["pixel_values"]
    assert with_given_ids(inputs, [])["input_ids"].tolist() == inputs["input_ids"].tolist()


@given(st.lists(st.lists(st.integers(0, 2), max_size=2)))
def test_every_prompt_is_in_the_one_group_of_its_prefill(prefills):
    groups = by_prefill([Prompt({}, ids) for ids in prefills])
    assert sorted(i for group in groups for i in group) == list(range(len(prefills)))
    assert all(len({tuple(prefills[i]) for i in group}) == 1 for group in groups)
    assert len(groups) == len({tuple(ids) for ids in prefills})


def test_an_answer_ends_with_its_first_stop_id():
    assert until_stop([5, 2, 0, 0], [2, 3]) == [5, 2]
    assert until_stop([5, 6], [2, 3]) == [5, 6]
    assert until_stop([], [2]) == []


def test_media_of_differing_sizes_end_in_zeros():
    prompts = [
        {"input_ids": torch.ones(1, 2), "features": torch.ones(1, 3, 2)},
        {"input_ids": torch.ones(1, 2), "features": torch.ones(2, 1, 4)},
    ]
    features = collate_prompts(prompts, pad_id=0)["features"]
    assert features.shape == (3, 3, 4)
    assert features[0, :, :2].all() and not features[0, :, 2:].any()
    assert features[1:, :1].all() and not features[1:, 1:].any()


def test_packed_media_lie_behind_each_other_in_one_row():
    prompts = [{"input_ids": torch.ones(1, 2), "pixels": torch.full((1, 3, n), float(n))} for n in (2, 4)]
    pixels = collate_prompts(prompts, pad_id=0, packed=frozenset({"pixels"}))["pixels"]
    assert pixels.shape == (1, 3, 6)
    assert pixels[0, 0].tolist() == [2, 2, 4, 4, 4, 4]


def test_what_each_token_sees_of_images_is_padded_on_the_left_and_goes_on_behind_the_prompt():
    sees = torch.tensor([[[[1, 0]], [[1, 1]]]])  # (rows, tokens, images, tiles)
    prompts = [
        {"input_ids": torch.ones(1, 2, dtype=torch.long), "cross_attention_mask": sees},
        {"input_ids": torch.ones(1, 3, dtype=torch.long), "cross_attention_mask": torch.ones(1, 3, 1, 2).long()},
    ]
    batch = collate_prompts(prompts, pad_id=0)
    assert batch["cross_attention_mask"][0].tolist() == [[[0, 0]], [[1, 0]], [[1, 1]]]
    longer = with_text({**batch, "token_type_ids": torch.ones(2, 3), "pixels": torch.ones(2, 1)}, 2)
    assert longer["cross_attention_mask"][0, 2:].tolist() == [[[1, 1]]] * 3
    assert longer["token_type_ids"].tolist() == [[1, 1, 1, 0, 0]] * 2
    assert longer["input_ids"] is batch["input_ids"] and longer["pixels"].shape == (2, 1)


def test_prompts_with_media_of_other_kinds_or_shapes_are_kept_apart():
    text, clip, longer = ({"input_ids": torch.ones(1, n)} for n in (2, 3, 4))
    clip["features"], longer["features"] = torch.ones(1, 5), torch.ones(1, 6)
    assert by_media([Prompt(inputs, []) for inputs in (text, clip, text, longer, clip)]) == [[0, 2], [1, 4], [3]]


@pytest.mark.parametrize(("family", "groups"), [("mllama", [[0, 3], [1], [2]]), ("qwen2_5_omni", [[0, 1, 3], [2]])])
def test_what_is_answered_together_has_one_prefill_and_media_that_the_family_takes_together(family, groups):
    model = SimpleNamespace(config=SimpleNamespace(model_type=family))
    text, image = {"input_ids": torch.ones(1, 2)}, {"input_ids": torch.ones(1, 2), "pixel_values": torch.ones(1, 3)}
    prompts = [Prompt(text, []), Prompt(image, []), Prompt(text, [7]), Prompt(text, [])]
    assert by_answer(model, prompts) == groups


def test_media_take_the_type_of_the_weights_and_ids_keep_theirs():
    batch = {"input_ids": torch.ones(1, 2, dtype=torch.long), "pixels": torch.ones(1, 2), "seconds": torch.ones(1)}
    taken = as_model_takes(batch, torch.device("cpu"), torch.bfloat16)
    assert [t.dtype for t in taken.values()] == [torch.long, torch.bfloat16, torch.float32]
