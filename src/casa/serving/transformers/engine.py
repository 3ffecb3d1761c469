"""A CasaModel behind the door: the requests that wait together are answered as one batch."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from tokenizers import Tokenizer

from casa.method.tokens import own_tokens
from casa.model.batching import by_forward_pass
from casa.model.families import text_config
from casa.model.messages import Prompt
from casa.model.outputs import Attribution, Verdict
from casa.serving.answer_reader import AnswerReader, room_for_text
from casa.serving.engine import Conversation, Ended, EngineError, Event, Turn
from casa.serving.transformers.jobs import Job, JobQueue
from casa.serving.transformers.rows import Row, RowReader
from casa.serving.transformers.sampling import RowSampler

if TYPE_CHECKING:
    from casa.model.casa_model import CasaModel

T = TypeVar("T")


class TransformersEngine:
    """Runs one batch after the other; whoever comes meanwhile is in the next one.

    Prompts are made one by one before they wait, so that a bad one fails alone. Rows of a batch have their own length, sampling
    and end: a row that is done is told at once, and a batch ends with its last row.

    Args:
        model: of which nobody else makes use meanwhile.
        batch_size: most conversations at once.
    """

    def __init__(self, model: CasaModel, batch_size: int = 16) -> None:
        self._model, self._batch_size = model, batch_size
        self._window: int = getattr(text_config(model.base_model), "max_position_embeddings", None) or sys.maxsize
        # its own copy: decoding runs beside the tokenizing of the next prompts
        self._tokenizer = Tokenizer.from_str(model.chat.tokenizer.backend_tokenizer.to_str())
        self._queue = JobQueue()
        self._preparing = ThreadPoolExecutor(1, "casa-prompts")
        self._running = ThreadPoolExecutor(1, "casa-batches")
        self._batches: asyncio.Task[None] | None = None
        self._current: list[Job] = []

    async def start(self) -> None:
        """See `Engine.start`."""
        self._batches = asyncio.create_task(self._run_batches())

    async def stop(self) -> None:
        """See `Engine.stop`."""
        assert self._batches is not None, "the engine was not started"
        self._batches.cancel()
        self._queue.drop_all(lambda job: job.emit(_stopped()))
        for job in self._current:
            job.cancelled = True
            job.emit(_stopped())
        await asyncio.gather(self._batches, return_exceptions=True)
        await asyncio.to_thread(self._running.shutdown)
        await asyncio.to_thread(self._preparing.shutdown)

    def alive(self) -> bool:
        """See `Engine.alive`."""
        return self._batches is not None and not self._batches.done()

    def waiting(self) -> int:
        """See `Engine.waiting`."""
        return len(self._queue)

    async def classify(self, conversations: Sequence[Conversation]) -> list[Verdict]:
        """See `Engine.classify`."""
        prompts = [await self._in_thread(self._prompt, conversation, ()) for conversation in conversations]
        jobs = [Job(prompt) for prompt in prompts]
        self._submit(jobs)
        try:
            return [await _next_event(job) for job in jobs]
        finally:
            for job in jobs:
                self._queue.cancel(job)

    async def answer(self, turn: Turn) -> AsyncGenerator[Event, None]:
        """See `Engine.answer`."""
        prompt = await self._in_thread(self._prompt, turn.messages, turn.tools)
        length = min(turn.sampling.max_new_tokens, self._room(prompt))
        job = Job(prompt, replace(turn.sampling, max_new_tokens=length))
        self._submit([job])
        try:
            while True:
                event = await _next_event(job)
                yield event
                if isinstance(event, Ended):
                    return
        finally:
            self._queue.cancel(job)

    def explain(self, conversation: Conversation) -> list[Attribution]:
        """As `CasaModel.explain`, from any other thread; it waits for the batch that runs.

        Raises:
            MessageError: the conversation is malformed.
        """
        return self._preparing.submit(self._model.explain, conversation).result()

    def _submit(self, jobs: list[Job]) -> None:
        if not self.alive():
            raise EngineError("the engine does not run")
        self._queue.put(jobs)

    async def _in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._preparing, work, *arguments)

    def _prompt(self, messages: Conversation, tools: Sequence[Any]) -> Prompt:
        prompt = self._model.chat.prompt(messages, tools)
        self._room(prompt)
        return prompt

    def _room(self, prompt: Prompt) -> int:
        return room_for_text(self._window, prompt.inputs["input_ids"].shape[1], len(prompt.prefill_ids))

    # -- batches -------------------------------------------------------------------------------------------------

    async def _run_batches(self) -> None:
        while True:
            self._current = await self._queue.batch(self._batch_size)
            await asyncio.get_running_loop().run_in_executor(self._running, self._run, self._current)
            self._current = []

    def _run(self, batch: list[Job]) -> None:
        """Runs one batch; whatever goes wrong is told to each of its jobs."""
        batch = [job for job in batch if not job.cancelled]
        if not batch:
            return
        try:
            if batch[0].sampling is None:
                for job, verdict in zip(batch, self._model.judge([job.prompt for job in batch]), strict=True):
                    job.emit(verdict)
            else:
                for group in by_forward_pass(self._model.base_model, [job.prompt for job in batch]):
                    self._generate([batch[i] for i in group])
        except BaseException as error:
            for job in batch:
                job.emit(error)

    def _generate(self, batch: list[Job]) -> None:
        model = self._model
        samplings = [job.sampling for job in batch if job.sampling is not None]
        prefill_ids = batch[0].prompt.prefill_ids
        rows = [
            Row(job, AnswerReader(model.tokens, model.stop_ids(), self._tokenizer, prefill_ids, s.max_new_tokens))
            for job, s in zip(batch, samplings, strict=True)
        ]

        def tell(verdicts: list[Verdict]) -> None:
            for row, verdict in zip(rows, verdicts, strict=True):
                row.decide(verdict)

        model.generate(
            **model.collate([job.prompt for job in batch]),
            do_sample=False,  # rows that sample have drawn already
            max_new_tokens=1 + len(prefill_ids) + max(sampling.max_new_tokens for sampling in samplings),
            prefill_ids=prefill_ids,
            on_verdicts=tell,
            logits_processor=[RowSampler(samplings, own_tokens(model.tokens, model.config), model.device)],
            stopping_criteria=[RowReader(rows)],
        )
        for job, row in zip(batch, rows, strict=True):
            if not row.ended and not job.cancelled:
                job.emit(EngineError("the generation ended before its answer"))


async def _next_event(job: Job) -> Any:
    event = await job.events.get()
    if isinstance(event, EngineError):
        raise event
    if isinstance(event, BaseException):
        raise EngineError("the engine failed") from event
    return event


def _stopped() -> EngineError:
    return EngineError("the engine was stopped")
