"""`casa/MODEL` and `undefended/MODEL` behind an OpenAI-compatible address, such as `casa serve` or vLLM's own server."""

from __future__ import annotations

import os
from typing import Any, Literal

from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    messages_to_openai,
)
from inspect_ai.tool import ToolChoice, ToolInfo

from casa.evaluation.harness.conversion import VERDICT

KEY_VARIABLE = "CASA_API_KEY"
_RETRIES = 8  # with growing pauses, where the server is full or away
_STOP_REASONS: dict[str, Literal["stop", "max_tokens", "content_filter"]] = {
    "stop": "stop",
    "length": "max_tokens",
    "content_filter": "content_filter",
}
_PREFILLED = {"continue_final_message": True, "add_generation_prompt": False}


class ServedAPI(ModelAPI):
    """A model on a server; the verdict is read from the field `casa` of its answers, where there is one.

    Args:
        model_name: that the server knows.
        base_url: of the server, ending in /v1.
        api_key: else that of `CASA_API_KEY`.
        config: inspect-ai's defaults for decoding.
        batch_size: half of how many requests are under way at once; batches are the server's own.
    """

    def __init__(
        self,
        model_name: str,
        base_url: str,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008 - inspect-ai's own signature
        batch_size: int = 16,
    ) -> None:
        from openai import AsyncOpenAI

        super().__init__(model_name, base_url, api_key, [KEY_VARIABLE], config)
        key = api_key or os.environ.get(KEY_VARIABLE) or "none"
        self._client = AsyncOpenAI(api_key=key, base_url=base_url, max_retries=_RETRIES)
        self._batch_size = batch_size

    def max_connections(self) -> int:
        """As for models in this process."""
        return 2 * self._batch_size

    async def count_text_tokens(self, text: str) -> int:
        """By words, for inspect-ai's display only; its default would fetch a tokenizer from the network."""
        return len(text.split())

    async def generate(
        self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> ModelOutput:
        """Answers one conversation; a last assistant message is continued. Greedy unless a temperature is given.

        Raises:
            openai.APIError: the server refused the request or failed.
        """
        chosen = {"max_tokens": config.max_tokens, "top_p": config.top_p, "seed": config.seed}
        request: dict[str, Any] = {
            "model": self.model_name,
            "messages": await messages_to_openai(input),
            "temperature": config.temperature or 0,
            **{name: value for name, value in chosen.items() if value is not None},
        }
        if isinstance(input[-1], ChatMessageAssistant):
            request["extra_body"] = _PREFILLED
        completion = await self._client.chat.completions.create(**request)
        choice, verdict = completion.choices[0], (completion.model_extra or {}).get("casa")
        stop = _STOP_REASONS.get(choice.finish_reason, "stop")
        output = ModelOutput.from_content(self.model_name, choice.message.content or "", stop_reason=stop)
        output.metadata = {VERDICT: verdict} if verdict else None
        if usage := completion.usage:
            counts = usage.prompt_tokens, usage.completion_tokens, usage.total_tokens
            output.usage = ModelUsage(input_tokens=counts[0], output_tokens=counts[1], total_tokens=counts[2])
        return output

    async def aclose(self) -> None:
        """Closes its connections."""
        await self._client.close()
