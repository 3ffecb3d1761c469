"""CasaModel: a multimodal LLM that decides on safety before it answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, overload

import torch
from torch import Tensor, nn

from casa.errors import UnsafeStateError
from casa.method.attention import SafetyAttention, SafetyRisk
from casa.method.config import CasaConfig
from casa.method.gate import Decision
from casa.method.tokens import SafetyTokens, own_tokens
from casa.model.attribution import attributions
from casa.model.batching import by_answer, by_forward_pass, is_batch, model_inputs, until_stop
from casa.model.decoding import (
    CACHED_PROMPT,
    CachedPrompt,
    PrefillReader,
    SafetyTokenProcessor,
    cached_scores,
    require_ordinary_prefill,
)
from casa.model.families import media_token_ids, stop_ids, untrained_media
from casa.model.messages import ChatFormat, Message, Prompt
from casa.model.outputs import Attribution, Response, StreamEvent, Usage, Verdict
from casa.model.refusal import FIXED_REFUSAL


class CasaModel(nn.Module):
    """A Hugging Face MLLM with two safety tokens and safety attention.

    Build one with `attach` (fresh, for training) or `from_pretrained`; the constructor only joins the pieces.

    Args:
        model: the MLLM, or a PEFT model around it.
        processor: its processor, the safety tokens added.
        attention: its safety attention.
        tokens: the safety tokens' ids.
        config: the method's choices.
        base: what `save_pretrained` records of the base model (name and fingerprint).
    """

    def __init__(
        self,
        model: nn.Module,
        processor: Any,
        attention: SafetyAttention,
        tokens: SafetyTokens,
        config: CasaConfig,
        base: dict[str, str],
    ) -> None:
        super().__init__()
        self.model = model
        self.safety_attention = attention
        self.processor = processor
        self.tokens = tokens
        self.config = config
        self.base = base
        self.chat = ChatFormat(processor, tokens, config, untrained_media(self.base_model))
        self._turn = threading.Lock()  # families keep state of the current turn on the module (rope deltas)

    @classmethod
    def attach(cls, base_model: nn.Module, processor: Any, config: CasaConfig | None = None, **lora: Any) -> CasaModel:
        """A fresh CASA model around a base model, which is changed in place; train it next.

        Args:
            base_model: a Hugging Face MLLM or text-only causal LM.
            processor: its processor or tokenizer; the two safety tokens are added to it.
            config: the method's choices.
            lora: arguments of `peft.LoraConfig` (r, lora_alpha, lora_dropout, target_modules).
        """
        from casa.model.attach import attach

        return attach(base_model, processor, config or CasaConfig(), lora)

    @classmethod
    def from_pretrained(cls, source: str | Path, **options: Any) -> CasaModel:
        """Loads a trained CASA model: "casa-nano", a folder, or a hub id; see `casa.model.checkpoint.load`."""
        from casa.model.checkpoint import load

        return load(source, **options)

    def save_pretrained(self, folder: str | Path) -> None:
        """Writes PEFT adapter, `safety_attention.safetensors` and `casa_config.json`; see `casa.model.checkpoint.save`."""
        from casa.model.checkpoint import save

        save(self, Path(folder))

    def push_to_hub(self, repo_id: str, **options: Any) -> str:
        """Uploads the model with a card made from its run and results; see `casa.hub.push`. Returns its address."""
        from casa.hub import push

        with TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            return push(Path(folder), repo_id, **options)

    @property
    def base_model(self) -> Any:
        """The MLLM itself, without PEFT's shell around it."""
        model: Any = self.model
        return model if self.merged else model.get_base_model()

    @property
    def merged(self) -> bool:
        """Whether the adapter is in the weights and cannot be taken out again."""
        return not hasattr(self.model, "get_base_model")

    @property
    def device(self) -> torch.device:
        """Where inputs go."""
        found: torch.device = next(
            self.base_model.get_input_embeddings().parameters()
        ).device  # `weight` would merge the rows
        return found

    # -- one turn ------------------------------------------------------------------------------------------------

    @overload
    def classify(self, messages: Sequence[Message]) -> Verdict: ...

    @overload
    def classify(self, messages: Sequence[Sequence[Message]]) -> list[Verdict]: ...

    @torch.inference_mode()
    def classify(self, messages: Any) -> Verdict | list[Verdict]:
        """The verdict on a conversation, or a list of verdicts on a list of conversations: one prefill, no decoding.

        Raises:
            MessageError: a conversation is malformed.
        """
        if not is_batch(messages):
            return self.classify([messages])[0]
        return self.judge([self.chat.prompt(conversation) for conversation in messages])

    @torch.inference_mode()
    def judge(self, prompts: Sequence[Prompt]) -> list[Verdict]:
        """As `classify`, of prompts that `chat.prompt` has made."""
        verdicts: dict[int, Verdict] = {}
        for group in by_forward_pass(self.base_model, prompts):
            _, reader = self._read([prompts[i] for i in group])
            verdicts |= zip(group, self._verdicts(reader.decision(), reader.risk()), strict=True)
        return [verdicts[i] for i in range(len(prompts))]

    @torch.inference_mode()
    def explain(self, messages: Sequence[Message]) -> list[Attribution]:
        """Each prompt token's share of v_s, in order, with the part of a medium that it stands for; they sum to v_s."""
        inputs, reader = self._read([self.chat.prompt(messages)])
        shares = reader.risk().attributions[0].tolist()
        return attributions(self.chat, messages, inputs, shares, media_token_ids(self.base_model))

    @overload
    def respond(self, messages: Sequence[Message], max_new_tokens: int = ..., **arguments: Any) -> Response: ...

    @overload
    def respond(
        self, messages: Sequence[Sequence[Message]], max_new_tokens: int = ..., **arguments: Any
    ) -> list[Response]: ...

    def respond(self, messages: Any, max_new_tokens: int = 256, **arguments: Any) -> Response | list[Response]:
        """Answers a conversation, or a list of conversations as one batch.

        A last assistant message is continued after the safe token; after the unsafe one it is left out, and the model answers
        freely. Conversations that end alike in one share a batch.

        Args:
            messages: the conversation, or a list of conversations.
            max_new_tokens: length of the answer, the safety token and the prefill not counted; where an unsafe verdict leaves the
                prefill out, the answer may be longer by its length.
            arguments: further arguments of transformers' `generate`; greedy decoding where nothing else is asked for.

        Raises:
            MessageError: a conversation is malformed; none is answered then.
        """
        if not is_batch(messages):
            return self.respond([messages], max_new_tokens, **arguments)[0]
        prompts = [self.chat.prompt(conversation) for conversation in messages]
        responses: dict[int, Response] = {}
        for group in by_answer(self.base_model, prompts):
            verdicts: list[Verdict] = []
            chosen = [prompts[i] for i in group]
            answers = self._answers(chosen, max_new_tokens, verdicts.extend, arguments)
            responses |= {
                i: self._response(*answered)
                for i, answered in zip(group, zip(chosen, answers, verdicts, strict=True), strict=True)
            }
        return [responses[i] for i in range(len(prompts))]

    def stream(self, messages: Sequence[Message], max_new_tokens: int = 256, **arguments: Any) -> Iterator[StreamEvent]:
        """As `respond`, event by event: the verdict first, then the text as it comes.

        Leaving the iterator early stops the generation.
        """
        from casa.model.streaming import stream_turn

        prompt = self.chat.prompt(messages)
        return stream_turn(self, prompt, lambda **extra: self._answers([prompt], max_new_tokens, **extra), arguments)

    def _answers(
        self,
        prompts: list[Prompt],
        max_new_tokens: int,
        on_verdicts: Callable[[list[Verdict]], None],
        arguments: dict[str, Any],
    ) -> list[list[int]]:
        """New ids of prompts with the same prefill, without it and the safety token, up to the first that ends the answer."""
        inputs = self.collate(prompts)
        prefill_ids = prompts[0].prefill_ids
        output = self.generate(
            **inputs,
            **{"do_sample": False, **arguments},
            max_new_tokens=max_new_tokens + 1 + len(prefill_ids),
            prefill_ids=prefill_ids,
            on_verdicts=on_verdicts,
        )
        rows: list[list[int]] = output[:, inputs["input_ids"].shape[1] :].tolist()
        answers = [row[1:] if row[0] == self.tokens.unsafe else row[1 + len(prefill_ids) :] for row in rows]
        return [until_stop(answer, self.stop_ids()) for answer in answers]

    def _response(self, prompt: Prompt, new_ids: list[int], verdict: Verdict) -> Response:
        usage = Usage(prompt.inputs["input_ids"].shape[1], 1 + len(new_ids))
        if verdict.failed:
            return Response(FIXED_REFUSAL, verdict, "content_filter", usage)
        text = self.chat.tokenizer.decode(new_ids, skip_special_tokens=True).strip()
        if verdict.label == "unsafe":
            return Response(text or FIXED_REFUSAL, verdict, "content_filter", usage)
        ended = bool(new_ids) and new_ids[-1] in self.stop_ids()
        return Response(text, verdict, "stop" if ended else "length", usage)

    # -- decoding ------------------------------------------------------------------------------------------------

    def generate(
        self,
        *,
        prefill_ids: list[int] | None = None,
        on_verdicts: Callable[[list[Verdict]], None] | None = None,
        **arguments: Any,
    ) -> Any:
        """Transformers' `generate`, with the safety token as the first new id; one prefill plus ordinary decoding.

        Args:
            prefill_ids: ids that follow the safe token; after the unsafe one the model writes freely.
            on_verdicts: called once with the verdicts, one a row of the batch, before anything is generated.
            arguments: model inputs (`input_ids`, `attention_mask`, media tensors) and arguments of `generate`. A
                `past_key_values` that already holds tokens must come from `prefill`.

        Raises:
            UnsafeStateError: the decision cannot be made from these arguments.
            ValueError: an argument that would bypass the prefill, such as `assistant_model`.
        """
        require_ordinary_prefill(arguments, arguments.get("generation_config") or self.base_model.generation_config)
        input_ids, mask = arguments["input_ids"], _prompt_mask(arguments)
        arguments["attention_mask"] = mask
        rows = len(input_ids)

        def report(decision: Decision, risk: SafetyRisk) -> None:
            if on_verdicts is not None:
                stride = len(decision.unsafe) // rows  # beams and returned sequences repeat a row
                on_verdicts(self._verdicts(decision, risk)[::stride])

        earlier = cached_scores(arguments.get("past_key_values"), input_ids)
        with self._turn, self.read_prefill(mask, earlier_scores=earlier) as reader:
            banned = own_tokens(self.tokens, self.config)
            token_step = SafetyTokenProcessor(
                reader, self.tokens, banned, prefill_ids or [], self.stop_ids()[0], report
            )
            processors = [*(arguments.pop("logits_processor", None) or []), token_step]
            with torch.inference_mode():
                output = self.base_model.generate(**arguments, logits_processor=processors)
        sequences = output if isinstance(output, Tensor) else output.sequences
        token_step.require_decided(sequences[:, input_ids.shape[1]])
        return output

    @torch.inference_mode()
    def prefill(self, **inputs: Tensor) -> Any:
        """Runs a prompt's beginning once and returns its key/value cache, for `generate(past_key_values=...)`.

        The cache carries the tokens' safety scores, so that the decision still covers the whole prompt; copies made with
        `copy.deepcopy` carry them too.
        """
        with self._turn, self.read_prefill(inputs["attention_mask"]) as reader:
            cache = self.base_model(**inputs, use_cache=True).past_key_values
        setattr(cache, CACHED_PROMPT, CachedPrompt(inputs["input_ids"], reader.scores()))
        return cache

    def read_prefill(self, mask: Tensor, keep: int = 1, earlier_scores: Tensor | None = None) -> PrefillReader:
        """A reader for the next forward pass, whose prompt mask is `mask` (rows, tokens)."""
        return PrefillReader(
            self.base_model, self.safety_attention, self.config, self.tokens, mask, keep, earlier_scores
        )

    def _read(self, prompts: Sequence[Prompt]) -> tuple[dict[str, Tensor], PrefillReader]:
        """One prefill of some prompts without a cache: the batch, and what was read off it."""
        inputs = self.collate(prompts)
        with self._turn, self.read_prefill(inputs["attention_mask"]) as reader:
            self.base_model(**inputs, use_cache=False)
        return inputs, reader

    def _verdicts(self, decision: Decision, risk: SafetyRisk) -> list[Verdict]:
        columns = (decision.p_unsafe.tolist(), decision.unsafe.tolist(), decision.failed.tolist(), risk.risk.tolist())
        return [
            Verdict("unsafe" if unsafe else "safe", p, v, self.config.threshold, failed)
            for p, unsafe, failed, v in zip(*columns, strict=True)
        ]

    def collate(self, prompts: Sequence[Prompt]) -> dict[str, Tensor]:
        """Prompts as one batch of model inputs, padded on the left."""
        pad = self.chat.tokenizer.pad_token_id
        return model_inputs(self.base_model, prompts, pad if pad is not None else self.stop_ids()[0])

    def stop_ids(self) -> list[int]:
        """Tokens that end an answer."""
        return stop_ids(self.base_model, self.chat.tokenizer)


def _prompt_mask(arguments: dict[str, Any]) -> Tensor:
    """The prompt's mask, once it is sure that no padding counts as prompt and that the last position is no padding."""
    input_ids: Tensor = arguments["input_ids"]
    mask: Tensor | None = arguments.get("attention_mask")
    if mask is None:
        if len(input_ids) > 1:
            raise UnsafeStateError("a batch needs its attention_mask: without it padding would count as prompt")
        return torch.ones_like(input_ids)
    if mask.shape != input_ids.shape or not mask[:, -1].all():
        raise UnsafeStateError(
            "the attention_mask must fit input_ids, padded on the left, for a decision at the last position"
        )
    return mask
