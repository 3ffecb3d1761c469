"""Conditional decoding: the safety token is decided once, from the prefill that happens anyway."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers import LogitsProcessor

from casa.errors import UnsafeStateError
from casa.method.attention import SafetyAttention, SafetyRisk
from casa.method.config import CasaConfig, HiddenState
from casa.method.gate import Decision, decide, gate_logits
from casa.method.tokens import SafetyTokens
from casa.model.families import decoder_of, final_norm_of

CACHED_PROMPT = "casa_prompt"  # attribute of a key/value cache: what safety attention knows of the tokens it holds

# Settings of `generate` that run other forward passes before the first token, and their values for "off".
_OTHER_PASSES = (
    *("guidance_scale", "assistant_model", "prompt_lookup_num_tokens", "assistant_early_exit", "custom_generate"),
    *("token_healing", "use_mtp"),
)
_OFF = (None, False, 0, 1)


class CachedPrompt(NamedTuple):
    """Tokens of a key/value cache and their safety scores.

    Attributes:
        input_ids: the tokens, shape (rows, tokens).
        scores: shape (rows, heads, tokens).
    """

    input_ids: Tensor
    scores: Tensor


def cached_scores(cache: Any, input_ids: Tensor) -> Tensor | None:
    """Safety scores that a filled key/value cache carries; None for an empty cache.

    Raises:
        UnsafeStateError: it carries none, or does not hold the beginning of this prompt.
    """
    length = cache.get_seq_length() if cache is not None else 0
    if not length:
        return None
    known: CachedPrompt | None = getattr(cache, CACHED_PROMPT, None)
    if known is None:
        raise UnsafeStateError("this cache was filled outside CASA and has no safety scores; use CasaModel.prefill")
    if known.input_ids.shape[1] != length or not torch.equal(known.input_ids, input_ids[:, :length]):
        raise UnsafeStateError("this cache was changed, or holds another prompt than the one that is passed in")
    return known.scores


def on_hidden_states(model: Any, which: HiddenState, receive: Callable[[Tensor], None]) -> Any:
    """Calls `receive` with the hidden states (rows, tokens, width) of every forward pass; returns the hook's handle."""
    if which == "pre_norm":
        return final_norm_of(model).register_forward_pre_hook(lambda module, args: receive(args[0]))

    def read(module: nn.Module, args: Any, output: Any) -> None:
        receive(output[0] if isinstance(output, tuple) else output.last_hidden_state)

    return decoder_of(model).register_forward_hook(read)


def on_last_positions(model: Any, keep: int) -> Any:
    """Has the LM head run on the last `keep` positions only; returns the hook's handle."""
    return model.get_output_embeddings().register_forward_pre_hook(lambda module, args: (args[0][:, -keep:], *args[1:]))


class PrefillReader:
    """Reads off a forward pass what the decision needs, without a second pass and without keeping hidden states.

    While the context is open, every forward pass of the model adds its tokens' safety scores (so a prefill may come in
    chunks), and the LM head runs on the last `keep` positions only.

    Args:
        model: the causal LM (an MLLM) whose forward is called inside the context.
        attention: its safety attention.
        config: which hidden state is read, and the gate.
        tokens: whose logits are read.
        mask: prompt mask, shape (rows, tokens), cached tokens included.
        keep: positions for which logits are computed: the last of the prompt, and as many after it as are passed in.
        earlier_scores: safety scores of tokens that are in a key/value cache already.
    """

    def __init__(
        self,
        model: Any,
        attention: SafetyAttention,
        config: CasaConfig,
        tokens: SafetyTokens,
        mask: Tensor,
        keep: int = 1,
        earlier_scores: Tensor | None = None,
    ) -> None:
        self._model, self._attention, self._config, self._tokens = model, attention, config, tokens
        self._mask, self._keep = mask, keep
        self._scores: list[Tensor] = [] if earlier_scores is None else [earlier_scores]
        self._logits: Tensor | None = None
        self._handles: list[Any] = []

    def __enter__(self) -> PrefillReader:
        self._handles = [
            on_hidden_states(self._model, self._config.hidden_state, self._read_hidden),
            on_last_positions(self._model, self._keep),
            self._model.register_forward_hook(self._read_logits),
        ]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Takes the hooks off, so that later forward passes cost nothing more."""
        while self._handles:
            self._handles.pop().remove()

    def scores(self) -> Tensor:
        """Safety scores of all prompt tokens so far, shape (rows, heads, tokens)."""
        return torch.cat(self._scores, dim=-1)

    def risk(self) -> SafetyRisk:
        """v_s over the prompt, for each row.

        Raises:
            UnsafeStateError: the scores do not cover the prompt.
        """
        scores, (rows, length) = self.scores(), self._mask.shape
        if scores.shape[0] % rows or scores.shape[-1] != length + self._keep - 1:
            raise UnsafeStateError(
                f"safety attention saw {scores.shape[0]} rows of {scores.shape[-1] - self._keep + 1} prompt tokens, the prompt "
                f"has {rows} of {length}: the decision would not be about this prompt"
            )
        return self._attention.pool(scores[..., :length], self._mask.repeat_interleave(scores.shape[0] // rows, dim=0))

    def gated(self, position: int = -1) -> Tensor:
        """Gated logits (safe, unsafe) from the kept logits at `position`, shape (rows, 2)."""
        assert self._logits is not None, "no forward pass was read"
        logits = self._logits[:, position]
        return gate_logits(logits[:, self._tokens.safe], logits[:, self._tokens.unsafe], self.risk(), self._config.gate)

    def decision(self) -> Decision:
        """The verdict of each row."""
        return decide(self.gated(), self._config.threshold)

    def _read_hidden(self, hidden: Tensor) -> None:
        self._scores.append(self._attention.scores(hidden))

    def _read_logits(self, module: nn.Module, args: Any, output: Any) -> None:
        self._logits = output.logits


class SafetyTokenProcessor(LogitsProcessor):
    """Emits the decided safety token first, then a given prefill, and bans both safety tokens afterwards unless they are words.

    The prefill follows the safe token only: after the unsafe one the model answers freely, so that nobody can put the
    beginning of a compliant answer behind a refusal's token.

    It goes last in the list of processors, so that nothing a caller adds can move or block the token, and the decision
    is computed from the raw logits, so that no sampling setting touches it.

    Args:
        reader: open on the model that generates.
        tokens: the two safety tokens.
        banned: ids that never follow them, from `own_tokens`.
        prefill_ids: ids that follow the safe token.
        stop_id: id forced on rows whose decision failed: nothing is generated for them.
        on_decision: called once with the decision of all rows.
    """

    def __init__(
        self,
        reader: PrefillReader,
        tokens: SafetyTokens,
        banned: list[int],
        prefill_ids: list[int],
        stop_id: int,
        on_decision: Callable[[Decision, SafetyRisk], None],
    ) -> None:
        self._reader, self._tokens, self._banned, self._prefill_ids = reader, tokens, banned, prefill_ids
        self._stop_id, self._on_decision = stop_id, on_decision
        self._unsafe: Tensor | None = None
        self._failed: Tensor | None = None  # set where any row failed, so that the others pay no synchronisation
        self._step = 0

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Scores of the next token, shape (rows, vocabulary)."""
        step, self._step = self._step, self._step + 1
        if step == 0:
            return self._safety_token(scores)
        scores = scores.clone()
        scores[:, self._banned] = -torch.inf
        if step <= len(self._prefill_ids):
            assert self._unsafe is not None, "the safety token comes first"
            given = torch.full((len(scores),), self._prefill_ids[step - 1], device=scores.device)
            scores = torch.where(self._unsafe[:, None], scores, only(scores, given))
        if self._failed is not None:
            stopped = only(scores, torch.full((len(scores),), self._stop_id, device=scores.device))
            scores = torch.where(self._failed[:, None], stopped, scores)
        return scores

    def _safety_token(self, scores: Tensor) -> Tensor:
        decision = self._reader.decision()
        self._on_decision(decision, self._reader.risk())
        self._reader.close()
        self._unsafe = decision.unsafe.to(scores.device)
        self._failed = decision.failed.to(scores.device) if decision.failed.any() else None
        chosen = torch.where(decision.unsafe, self._tokens.unsafe, self._tokens.safe)
        return only(scores, chosen.to(scores.device))

    def require_decided(self, first_ids: Tensor) -> None:
        """Checks that every generated row begins with a safety token.

        Args:
            first_ids: the first new id of each row.

        Raises:
            UnsafeStateError: the generation went round the decision.
        """
        allowed = torch.tensor(list(self._tokens), device=first_ids.device)
        if self._step == 0 or not torch.isin(first_ids, allowed).all():
            raise UnsafeStateError("the generation went round the safety token; its output is withheld")


def require_ordinary_prefill(arguments: dict[str, Any], generation_config: Any) -> None:
    """Refuses settings of `generate` that run other forward passes before the first token.

    Args:
        arguments: given to `generate`.
        generation_config: the one in force, which may set them too.

    Raises:
        ValueError: names them.
    """
    found = [name for name in _OTHER_PASSES if arguments.get(name, getattr(generation_config, name, None)) not in _OFF]
    if found:
        raise ValueError(f"CASA decides on one ordinary prefill; {', '.join(found)} cannot be used with it")


def only(scores: Tensor, tokens: Tensor) -> Tensor:
    """Log-probabilities that leave one token a row, shape (rows, vocabulary); `tokens` has shape (rows,)."""
    forced = torch.full_like(scores, -torch.inf)
    return forced.scatter(1, tokens[:, None], 0.0)
