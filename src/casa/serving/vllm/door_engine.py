"""vLLM behind the door: its own engine process, and prompts that casa renders, so that text from users is hardened."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from tokenizers import Tokenizer

from casa.errors import MessageError
from casa.model.bases import load_processor
from casa.model.messages import ChatFormat, RawPrompt
from casa.model.outputs import Label, Verdict
from casa.serving.answer_reader import AnswerReader, room_for_text
from casa.serving.engine import Conversation, Ended, EngineError, Event, Retracted, Sampling, Turn
from casa.serving.vllm.export import verify
from casa.serving.vllm.reference import QUANTIZED_TOLERANCE, TOLERANCE, read_references, require_alike
from casa.serving.vllm.requests import PREFILL
from casa.serving.vllm.scores import LOGPROBS_MODE, Scores, read_scores

T = TypeVar("T")
_INT63 = 2**63 - 1
_GREEDY_BELOW = 0.01  # a smaller temperature would overflow
_STOPPING_S = 5.0
_FIXED = frozenset(("model", "tokenizer", "hf_config_path", "hf_overrides", "logprobs_mode"))


class Step(NamedTuple):
    """What vLLM tells of one generated token.

    Attributes:
        token: its id.
        scores: p_unsafe and v_s over everything before it.
        prompt_tokens: length of the prompt, media included.
        finished: vLLM's reason, where it is the last one.
    """

    token: int
    scores: Scores
    prompt_tokens: int
    finished: str | None


class VLLMEngine:
    """Answers with an exported checkpoint, in vLLM's continuous batches.

    Args:
        folder: written by `casa export`; all of it is checked.
        safety_prompt: put into the system message; None for none.
        recheck: v_s from which an answer is taken back while it is written: it is looked at again at every token, over prompt
            and answer. None looks at the prompt only.
        options: fields of vLLM's AsyncEngineArgs; not those that would put something else in the folder's place.

    Raises:
        CheckpointError: the folder is not as it was exported.
        TypeError: vLLM has no such option, or it is not free.
    """

    def __init__(
        self, folder: Path, safety_prompt: str | None = None, recheck: float | None = None, **options: Any
    ) -> None:
        os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")  # vLLM tells its makers of its use unless it is told not to
        from transformers import GenerationConfig
        from vllm.engine.arg_utils import AsyncEngineArgs

        if fixed := sorted(_FIXED.intersection(options)):
            raise TypeError(f"{', '.join(fixed)}: what was exported and checked is served, and nothing else")
        settings = verify(folder)
        self._references = read_references(folder)
        self._tokens, self._threshold, self._recheck = settings.tokens, settings.config.threshold, recheck
        self._arguments = AsyncEngineArgs(
            **{"disable_log_stats": True, **options, "model": str(folder), "logprobs_mode": LOGPROBS_MODE}
        )
        config = replace(settings.config, safety_prompt=safety_prompt)
        refused = frozenset(settings.untrained_media)
        self._chat = ChatFormat(load_processor(str(folder)), self._tokens, config, refused)
        # its own copy: decoding runs beside the tokenizing of the next prompts
        self._tokenizer = Tokenizer.from_str(self._chat.tokenizer.backend_tokenizer.to_str())
        eos = GenerationConfig.from_pretrained(folder).eos_token_id
        ends = [settings.stop_id, self._chat.tokenizer.eos_token_id, *(eos if isinstance(eos, list) else [eos])]
        self._stop_ids = sorted({token for token in ends if token is not None})
        self._preparing = ThreadPoolExecutor(1, "casa-prompts")
        self._undecided = 0
        self._window = 0
        self._llm: Any = None

    async def start(self) -> None:
        """See `Engine.start`; takes as long as vLLM needs to load the model. Batches are as large as its own server makes them.

        Raises:
            CheckpointError: vLLM decides otherwise than transformers did when the checkpoint was written.
        """
        from vllm.usage.usage_lib import UsageContext
        from vllm.v1.engine.async_llm import AsyncLLM

        self._llm = AsyncLLM.from_engine_args(self._arguments, usage_context=UsageContext.OPENAI_API_SERVER)
        self._window = self._llm.model_config.max_model_len
        try:
            await self._require_alike()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """See `Engine.stop`."""
        await asyncio.to_thread(self._llm.shutdown, _STOPPING_S)
        await asyncio.to_thread(self._preparing.shutdown)

    def alive(self) -> bool:
        """See `Engine.alive`; vLLM does not come back when its process has ended."""
        return self._llm is not None and not self._llm.errored

    def waiting(self) -> int:
        """See `Engine.waiting`; counts those whose verdict is not there yet."""
        return self._undecided

    async def classify(self, conversations: Sequence[Conversation]) -> list[Verdict]:
        """See `Engine.classify`."""
        prompts = [await self._in_thread(self._prompt, conversation, ()) for conversation in conversations]
        judging = [asyncio.create_task(self._judge(prompt)) for prompt in prompts]
        try:
            return list(await asyncio.gather(*judging))
        finally:
            for task in judging:
                task.cancel()
            await asyncio.gather(*judging, return_exceptions=True)

    async def answer(self, turn: Turn) -> AsyncGenerator[Event, None]:
        """See `Engine.answer`."""
        prompt = await self._in_thread(self._prompt, turn.messages, turn.tools)
        length = min(turn.sampling.max_new_tokens, self._room(prompt))
        reader = AnswerReader(self._tokens, self._stop_ids, self._tokenizer, prompt.prefill_ids, length)
        async with aclosing(self._steps(prompt, self._parameters(prompt, turn.sampling, length))) as steps:
            first = await anext(steps)
            verdict = self._verdict(first)
            yield reader.decide(verdict, first.prompt_tokens)
            reader.take(first.token)
            async for step in steps:
                if verdict.label == "safe" and self._crossed(step.scores):
                    yield Retracted(reader.count)
                    return
                for event in reader.take(step.token):
                    yield event
                if not reader.ended and step.finished is not None:  # by vLLM's own limits
                    yield Ended("stop" if step.finished == "stop" else "length", reader.count)
                if reader.ended:
                    return

    def _crossed(self, scores: Scores) -> bool:
        """Whether v_s calls for the answer to be taken back; a v_s that is not a number does."""
        return self._recheck is not None and not scores.risk < self._recheck

    # -- prompts -------------------------------------------------------------------------------------------------

    async def _in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._preparing, work, *arguments)

    def _prompt(self, messages: Conversation, tools: Sequence[Any]) -> RawPrompt:
        prompt = self._chat.raw_prompt(messages, tools)
        self._room(prompt)
        return prompt

    def _room(self, prompt: RawPrompt) -> int:
        """Without the length of media, which vLLM finds out and checks by itself."""
        return room_for_text(self._window, len(prompt.ids), len(prompt.prefill_ids))

    def _parameters(self, prompt: RawPrompt, sampling: Sampling, length: int) -> Any:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        draws = sampling.temperature >= _GREEDY_BELOW
        return SamplingParams(
            max_tokens=1 + len(prompt.prefill_ids) + length,
            temperature=sampling.temperature if draws else 0.0,
            top_p=sampling.top_p,
            seed=sampling.seed & _INT63 if draws and sampling.seed is not None else None,
            stop_token_ids=self._stop_ids,
            logprob_token_ids=list(self._tokens),
            extra_args={PREFILL: prompt.prefill_ids} if prompt.prefill_ids else None,
            detokenize=False,
            output_kind=RequestOutputKind.DELTA,
        )

    async def _require_alike(self) -> None:
        """Checks that vLLM decides as transformers did when the checkpoint was written; see `casa.serving.vllm.reference`."""
        known = [reference for reference in self._references if len(reference.ids) < self._window]
        verdicts = [await self._judge(RawPrompt(reference.ids, {}, [])) for reference in known]
        quantised = self._llm.model_config.quantization is not None
        require_alike(known, verdicts, QUANTIZED_TOLERANCE if quantised else TOLERANCE)

    # -- vLLM's side ---------------------------------------------------------------------------------------------

    async def _judge(self, prompt: RawPrompt) -> Verdict:
        """The verdict alone: generation ends with the safety token."""
        async with aclosing(self._steps(prompt, self._parameters(prompt, Sampling(1), 0))) as steps:
            return self._verdict(await anext(steps))

    async def _steps(self, prompt: RawPrompt, parameters: Any) -> AsyncGenerator[Step, None]:
        """The tokens of one request, at least one; closing the generator aborts it.

        Raises:
            MessageError: vLLM refuses the request, whose prompt with its media may be too long.
            EngineError: vLLM failed, rewrote the prompt, or ended without an answer.
        """
        from vllm.exceptions import VLLMClientError, VLLMServerError

        given = {"prompt_token_ids": prompt.ids, **_media(prompt.media)}
        waits = True
        self._undecided += 1
        try:
            async with aclosing(self._llm.generate(given, parameters, uuid.uuid4().hex)) as outputs:
                async for output in outputs:
                    if waits:
                        self._undecided, waits = self._undecided - 1, False
                        _require_kept(prompt.ids, output.prompt_token_ids)
                    for step in self._read(output):
                        yield step
        except VLLMClientError as error:
            raise MessageError(str(error)) from error
        except VLLMServerError as error:
            raise EngineError("vLLM failed") from error
        finally:
            self._undecided -= waits
        if waits:
            raise EngineError("vLLM ended without an answer")

    def _read(self, output: Any) -> list[Step]:
        (completion,) = output.outputs
        reason = completion.finish_reason
        if reason not in (None, "stop", "length"):
            raise EngineError(f"vLLM gave the answer up: {reason}")
        length, last = len(output.prompt_token_ids), len(completion.token_ids) - 1
        found = zip(completion.token_ids, completion.logprobs, strict=True)
        return [
            Step(token, self._scores(named), length, reason if at == last else None)
            for at, (token, named) in enumerate(found)
        ]

    def _scores(self, named: Mapping[int, Any]) -> Scores:
        return read_scores(named[self._tokens.safe].logprob, named[self._tokens.unsafe].logprob)

    def _verdict(self, first: Step) -> Verdict:
        """The verdict that vLLM emitted, with the numbers behind it.

        Raises:
            EngineError: the first token is no safety token.
        """
        if first.token not in self._tokens:
            raise EngineError("vLLM began an answer without a safety token")
        p_unsafe, risk, failed = first.scores
        label: Label = "unsafe" if first.token == self._tokens.unsafe or failed else "safe"
        return Verdict(label, p_unsafe, risk, self._threshold, failed)


def _require_kept(ids: Sequence[int], decided_on: Sequence[int]) -> None:
    """Checks that the prompt of the decision is the one that was rendered, with nothing but media put in.

    Where vLLM does not find a medium's placeholder among ids, it goes by way of text, and there hardened text turns into control
    tokens; that shortens it, so that not all of its ids are found in their order.

    Raises:
        EngineError: it is another one.
    """
    rest = iter(decided_on)
    if not all(token in rest for token in ids):
        raise EngineError("vLLM rewrote the prompt; this model's media cannot be served by it")


def _media(loaded: Mapping[str, Any]) -> dict[str, Any]:
    """Loaded media, from the form of transformers' processors to vLLM's."""
    rate = loaded.get("sampling_rate")
    media = {
        **({"image": loaded["images"][0]} if "images" in loaded else {}),
        **({"audio": [(clip, rate) for clip in loaded["audio"]]} if "audio" in loaded else {}),
    }
    return {"multi_modal_data": media} if media else {}
