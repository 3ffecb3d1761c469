"""The logits processor that emits the verdict, for both of vLLM's model runners."""

from __future__ import annotations

from itertools import takewhile
from typing import Any, NamedTuple

import torch
from torch import Tensor
from vllm.platforms import current_platform
from vllm.v1.sample.logits_processor import BatchUpdate, process_dict_updates
from vllm.v1.sample.logits_processor import LogitsProcessor as V1Processor
from vllm.v1.worker.gpu.sample.logits_processor import LogitsProcessor as V2Processor

from casa.serving.vllm.decision import NOTHING_GIVEN, decide_rows
from casa.serving.vllm.requests import MOST_PREFILL_IDS, prefill_ids, require_harmless
from casa.serving.vllm.settings import ServedSettings


class Answer(NamedTuple):
    """A request of the first runner's batch.

    Attributes:
        output_ids: vLLM's own list of what was generated so far; it grows.
        forged: the prompt holds a safety token, or is not known as tokens.
        prefill: ids that follow the safe token, the one that ends the answer among them where it ends there.
    """

    output_ids: list[int]
    forged: bool
    prefill: list[int]

    def given(self, safe: int) -> int:
        """The next id of the prefill, or `NOTHING_GIVEN`."""
        at = len(self.output_ids) - 1
        return self.prefill[at] if 0 <= at < len(self.prefill) and self.output_ids[0] == safe else NOTHING_GIVEN


class SafetyTokenProcessor(V1Processor, V2Processor):
    """Decides the first token of every answer by threshold, whatever the sampling settings, and bans both tokens afterwards.

    vLLM's two runners ask for different classes of the same name in the same place; this is both, and tells the runner by what it
    is made of and called with.

    Args:
        vllm_config: the engine's.
        runner: the device (first runner), or the state of all requests (second runner).
        is_pin_memory: given by the first runner only.
    """

    def __init__(self, vllm_config: Any, runner: Any, is_pin_memory: bool | None = None) -> None:
        self._settings = ServedSettings.from_hf_config(vllm_config.model_config.hf_config)
        self._control = frozenset(self._settings.control_ids)
        self._answers: dict[int, Answer] = {}
        self._pinned = bool(is_pin_memory)
        if is_pin_memory is None:
            self._requests = runner
            self._safety = torch.tensor(self._settings.tokens, device=runner.device)
            self._forged = torch.ones(runner.max_num_reqs, dtype=torch.bool, device=runner.device)
            self._prefills = torch.full(
                (runner.max_num_reqs, MOST_PREFILL_IDS), NOTHING_GIVEN, dtype=torch.int32, device=runner.device
            )
            self._added: list[tuple[int, list[int]]] = []

    @classmethod
    def validate_params(cls, sampling_params: Any) -> None:
        """Refuses a request that could move the verdict or go round it; vLLM answers with HTTP 400.

        Raises:
            ValueError: names the parameter and what to do.
        """
        require_harmless(sampling_params, current_platform.is_cpu())

    def is_argmax_invariant(self) -> bool:
        """No: it decides, also where sampling is greedy."""
        return False

    def apply(self, logits: Tensor, ctx: Any = None) -> Tensor:
        """Logits of shape (rows, vocabulary), in place; `ctx` comes from the second runner."""
        first, forged, given = self._rows(len(logits), logits.device) if ctx is None else self._context_rows(ctx)
        return decide_rows(logits, first, forged, given, self._settings)

    def _prefill(self, params: Any) -> list[int]:
        """A given beginning up to its first control token, where the answer ends: a turn that nobody judged could follow."""
        ids = prefill_ids(params)
        ordinary = [*takewhile(lambda token: token not in self._control, ids)]
        return ordinary if len(ordinary) == len(ids) else [*ordinary, self._settings.stop_id]

    # -- first runner ----------------------------------------------------------------------------------------------

    def update_state(self, batch_update: BatchUpdate | None) -> None:
        """Keeps track of which request lies in which row."""
        process_dict_updates(self._answers, batch_update, self._answer)

    def _answer(self, params: Any, prompt_ids: list[int] | None, output_ids: list[int]) -> Answer:
        forged = prompt_ids is None or not set(self._settings.tokens).isdisjoint(prompt_ids)
        return Answer(output_ids, forged, self._prefill(params))

    def _rows(self, rows: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        """First, forged and given of `decide_rows`; a row that is not known counts as a first one with a forged prompt."""
        answers = [self._answers.get(row, Answer([], True, [])) for row in range(rows)]
        states = (
            [not answer.output_ids for answer in answers],
            [answer.forged for answer in answers],
            [answer.given(self._settings.tokens.safe) for answer in answers],
        )
        first, forged, given = torch.tensor(states, dtype=torch.long, pin_memory=self._pinned).to(
            device, non_blocking=True
        )
        return first.bool(), forged.bool(), given

    # -- second runner ---------------------------------------------------------------------------------------------

    def add_request(self, req_idx: int, sampling_params: Any) -> bool:
        """A request enters a slot; its prompt is on the device at `apply_staged_writes`."""
        self._added.append((req_idx, self._prefill(sampling_params)))
        return True

    def apply_staged_writes(self) -> None:
        """Looks for safety tokens in the prompts of new requests, and takes note of their prefills."""
        for slot, prefill in self._added:
            self._prefills[slot] = NOTHING_GIVEN
            self._prefills[slot, : len(prefill)] = torch.tensor(prefill, dtype=torch.int32)
            length = int(self._requests.prompt_len.np[slot])
            self._forged[slot] = torch.isin(self._requests.all_token_ids.gpu[slot, :length], self._safety).any()
        self._added.clear()

    def _context_rows(self, ctx: Any) -> tuple[Tensor, Tensor, Tensor]:
        slots = ctx.expanded_idx_mapping.long()
        begins = self._requests.prompt_len.gpu[slots].long()
        at = ctx.pos - begins  # place in the prefill, if the verdict came before
        verdicts = self._requests.all_token_ids.gpu[
            slots, begins.clamp(max=self._requests.all_token_ids.gpu.shape[1] - 1)
        ]
        follows = (at >= 0) & (at < MOST_PREFILL_IDS) & (verdicts == self._settings.tokens.safe)
        given = torch.where(follows, self._prefills[slots, at.clamp(0, MOST_PREFILL_IDS - 1)].long(), NOTHING_GIVEN)
        return ctx.pos + 1 == begins, self._forged[slots], given
