"""A layer of any shape that holds the heads pools what SafetyAttention pools."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from casa.errors import CheckpointError
from casa.method import SafetyAttention
from casa.serving.vllm.layout import CacheLayout, exact_pieces


def causal_attention(query, keys, values, layout, tau):
    """What an engine's kernel computes: float32 sums over what the cache's type holds."""
    tokens, shape = len(keys), (-1, layout.kv_heads, layout.head_size)
    q = query.view(layout.kv_heads, layout.group, layout.head_size).float()
    k, v = keys.view(shape).float(), values.view(shape).float()
    scores = torch.einsum("kgd,tkd->kgt", q, k) / tau
    visible = torch.ones(tokens, tokens).tril().bool()
    weights = scores[:, :, None].masked_fill(~visible, -torch.inf).softmax(-1)
    return torch.einsum("kgqt,tkd->qkgd", weights, v).to(keys.dtype).flatten(1)


def pooled(layout, scores, bias, dtype, tau=1.0):
    keys, values = layout.keys(scores, dtype), layout.values(scores + bias, dtype)
    query = layout.query(dtype, torch.device("cpu"))
    return layout.read(causal_attention(query, keys, values, layout, tau)).mean(1)


@settings(max_examples=60, deadline=None)
@given(
    heads=st.integers(1, 9),
    kv_heads=st.integers(1, 4),
    group=st.integers(1, 4),
    tau=st.sampled_from([0.5, 1.0, 3.0]),
    spread=st.sampled_from([0.1, 5.0, 40.0]),
    seed=st.integers(0, 1000),
)
@pytest.mark.parametrize(("dtype", "relative"), [(torch.float32, 1e-4), (torch.bfloat16, 1e-2)])
def test_the_layer_pools_what_safety_attention_pools(dtype, relative, heads, kv_heads, group, tau, spread, seed):
    torch.manual_seed(seed)
    layout = CacheLayout.like_model(heads, kv_heads * group, kv_heads, 64)
    attention = SafetyAttention(8, heads, 4, tau=tau)
    attention.bias.data = torch.randn(heads)
    scores = spread * torch.randn(7, heads)
    found = pooled(layout, scores, attention.bias.detach(), dtype, tau)
    for last in range(7):
        risk = attention.pool(scores[None, : last + 1].transpose(1, 2), torch.ones(1, last + 1))
        expected = torch.cat([risk.complement, risk.risk])
        torch.testing.assert_close(found[last], expected, rtol=relative, atol=1e-30)


def test_the_layer_has_the_models_shape_where_the_heads_fit():
    layout = CacheLayout.like_model(heads=3, query_heads=9, kv_heads=3, head_size=64)
    assert (layout.query_heads, layout.kv_heads, layout.head_size) == (9, 3, 64)


def test_more_heads_than_the_model_has_get_more_query_heads():
    layout = CacheLayout.like_model(heads=8, query_heads=4, kv_heads=1, head_size=64)
    assert (layout.query_heads, layout.kv_heads) == (8, 1)


def test_heads_that_do_not_fit_are_refused():
    with pytest.raises(CheckpointError, match="hold 21 of them"):
        CacheLayout.like_model(heads=22, query_heads=1, kv_heads=1, head_size=64)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_pieces_add_up_to_the_score(dtype):
    numbers = torch.randn(1000) * 20
    pieces = exact_pieces(numbers, dtype)
    assert torch.equal(pieces, pieces.to(dtype).float())
    torch.testing.assert_close(pieces.sum(-1), numbers, rtol=1e-6, atol=1e-6)


def test_a_score_that_is_not_finite_shows_in_the_result():
    layout = CacheLayout.like_model(3, 9, 3, 64)
    scores = torch.zeros(4, 3)
    scores[1, 2] = torch.nan
    found = pooled(layout, scores, torch.zeros(3), torch.bfloat16)
    assert found[1:].isnan().all()


class OneDevice(TorchDispatchMode):
    """Lets nothing pass from one device to another, as while a CUDA graph is captured; "meta" stands for the GPU."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        devices = {tensor.device for tensor in tree_leaves((args, kwargs, found)) if isinstance(tensor, torch.Tensor)}
        assert len(devices) < 2, func
        return found


def test_no_step_brings_an_index_to_the_device():
    layout = CacheLayout.like_model(5, 4, 2, 64)
    scores, output = torch.empty(7, 5, device="meta"), torch.empty(7, layout.query_heads * 64, device="meta")
    with OneDevice():
        keys, values = layout.keys(scores, torch.bfloat16), layout.values(scores, torch.bfloat16)
        weights = layout.read(output)
    assert keys.shape == values.shape == (7, 128) and weights.shape == (7, 5, 2)
