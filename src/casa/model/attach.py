"""Attaches CASA to a base model: safety tokens, LoRA, safety attention."""

from __future__ import annotations

import hashlib
from typing import Any

import torch
from torch import nn

from casa.errors import CasaError
from casa.method.attention import SafetyAttention
from casa.method.config import CasaConfig
from casa.method.tokens import SafetyTokens, add_safety_tokens, initialise_safety_rows, own_tokens
from casa.model.casa_model import CasaModel
from casa.model.families import decoder_of, final_norm_of, text_config, text_vocabulary, tokenizer_of
from casa.model.targets import lora_targets

LORA_DEFAULTS: dict[str, Any] = {"r": 16, "lora_alpha": 32, "lora_dropout": 0.0}
_FINGERPRINT_ROWS = 256
_DIGEST_ROWS = 4


def attach(base_model: Any, processor: Any, config: CasaConfig, lora: dict[str, Any]) -> CasaModel:
    """See `CasaModel.attach`."""
    base = describe(base_model)
    attention = fresh_attention(base_model, config)
    attention.set_query(query_hidden_states(base_model, processor, config))
    tokens = add_token_rows(base_model, processor, config)
    model = adapted(base_model, own_tokens(tokens, config), lora)
    return CasaModel(model, processor, attention, tokens, config, base)


def adapted(base_model: Any, tokens: list[int], lora: dict[str, Any]) -> Any:
    """A PEFT model around a base model: only LoRA and the rows of some tokens train.

    Args:
        base_model: changed in place; it may be without weights, on the meta device.
        tokens: ids whose rows train, from `own_tokens`.
        lora: arguments of `peft.LoraConfig`.

    Raises:
        ValueError: the model has nothing to adapt, and `lora` names no `target_modules`.
    """
    from peft import LoraConfig, get_peft_model

    options = {**LORA_DEFAULTS, **lora}
    if "target_modules" not in options:
        options["target_modules"] = lora_targets(base_model)
    rows = token_indices(base_model, tokens) if tokens else None
    peft_config = LoraConfig(**options, trainable_token_indices=rows, bias="none")
    return get_peft_model(base_model, peft_config)


def describe(base_model: Any) -> dict[str, str]:
    """Name and fingerprint of a base model, to recognise it when an adapter is loaded; of one on the hub its commit too."""
    name = getattr(base_model.config, "embedded_name", None) or base_model.config.name_or_path
    commit = getattr(base_model, "hub_commit", None)
    return {
        "name": str(name),
        "fingerprint": fingerprint(base_model),
        "layers": layers_digest(base_model),
        **({"revision": commit} if commit else {}),
    }


def fingerprint(base_model: Any) -> str:
    """SHA-256 over the shape of the language model, its final norm and its first embedding rows, rounded to bfloat16."""
    config = text_config(base_model)
    shape = f"{config.model_type} {config.hidden_size} {config.num_hidden_layers} {config.vocab_size}"
    digest = hashlib.sha256(shape.encode())
    rows = base_model.get_input_embeddings().weight[:_FINGERPRINT_ROWS]
    for weight in (next(final_norm_of(base_model).parameters()), rows):
        digest.update(_rounded(weight))
    return digest.hexdigest()


def layers_digest(base_model: Any) -> str:
    """SHA-256 over a few rows of every matrix in the decoder, rounded to bfloat16: tells fine-tuned variants apart.

    Empty for quantised models, whose packed weights cannot be compared with others'.
    """
    matrices = [p for p in decoder_of(base_model).parameters() if p.ndim == 2]
    if getattr(base_model, "is_quantized", False) or not all(p.is_floating_point() for p in matrices):
        return ""
    digest = hashlib.sha256()
    for weight in matrices[1:]:  # the first is the embedding
        digest.update(_rounded(weight[:_DIGEST_ROWS]))
    return digest.hexdigest()


def _rounded(weight: torch.Tensor) -> bytes:
    """Values as bfloat16, so that a model is the same whatever type it is loaded in."""
    return weight.detach().to("cpu", torch.bfloat16).contiguous().view(torch.uint8).numpy().tobytes()


def fresh_attention(base_model: Any, config: CasaConfig) -> SafetyAttention:
    """Untrained safety attention on the LM head's device, shaped like the base model's key/value heads by default."""
    text = text_config(base_model)
    heads = config.num_heads or getattr(text, "num_key_value_heads", None) or text.num_attention_heads
    width = config.head_dim or getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    attention = SafetyAttention(text.hidden_size, heads, width, config.pooling, config.tau)
    return attention.to(next(base_model.get_output_embeddings().parameters()).device)


def query_hidden_states(base_model: Any, processor: Any, config: CasaConfig) -> torch.Tensor:
    """The frozen base model's own final hidden state at the end of each query description, shape (descriptions, hidden_size)."""
    tokenizer, device = tokenizer_of(processor), base_model.get_input_embeddings().weight.device
    found = []
    with torch.inference_mode():
        for text in config.query_descriptions:
            ids = tokenizer(text, return_tensors="pt")["input_ids"].to(device)
            found.append(decoder_of(base_model)(input_ids=ids).last_hidden_state[0, -1])
    return torch.stack(found)


def add_token_rows(base_model: Any, processor: Any, config: CasaConfig) -> SafetyTokens:
    """Adds the safety tokens to the tokenizer, makes room for them in the model, and starts their rows; words stay as they are.

    Raises:
        CasaError: the model would read the new ids as media, or the tokenizer lacks the tokens; see `add_safety_tokens`.
    """
    tokenizer = tokenizer_of(processor)
    tokens = add_safety_tokens(tokenizer, config)
    if not own_tokens(tokens, config):
        return tokens
    if (limit := text_vocabulary(base_model)) is not None and max(tokens) >= limit:
        raise CasaError(
            f"this model reads ids from {limit} on as media, so a new token cannot be a safety token; name two reserved ones: "
            "CasaConfig(safe_token='<unused0>', unsafe_token='<unused1>')"
        )
    rows, logits = base_model.get_input_embeddings().weight.shape[0], base_model.get_output_embeddings().out_features
    if max(tokens) >= min(rows, logits):
        uncounted = rows - text_config(base_model).vocab_size
        base_model.resize_token_embeddings(max(max(tokens) + 1, rows), mean_resizing=False)
        _add_rows(base_model.get_input_embeddings(), uncounted)
    initialise_safety_rows(base_model.get_input_embeddings().weight, tokens, tokenizer, config)
    if not tied(base_model):
        initialise_safety_rows(base_model.get_output_embeddings().weight, tokens, tokenizer, config)
    return tokens


def _add_rows(embedding: Any, count: int) -> None:
    """Rows that Llama 3.2 Vision has beside its counted vocabulary: without them, what is saved does not load."""
    if count > 0:
        weight = embedding.weight
        embedding.weight = nn.Parameter(torch.cat([weight, weight.new_zeros(count, weight.shape[1])]))
        embedding.num_embeddings += count


def tied(base_model: Any) -> bool:
    """Whether the LM head shares the embedding's weight."""
    head, embedding = base_model.get_output_embeddings(), base_model.get_input_embeddings()
    return head.weight is embedding.weight


def token_indices(base_model: Any, tokens: list[int]) -> dict[str, list[int]]:
    """PEFT's `trainable_token_indices`: only these rows of embedding and, where untied, LM head train."""
    modules: list[nn.Module] = [base_model.get_input_embeddings()]
    if not tied(base_model):
        modules.append(base_model.get_output_embeddings())
    names = {module: name for name, module in base_model.named_modules()}
    return {names[module]: tokens for module in modules}
