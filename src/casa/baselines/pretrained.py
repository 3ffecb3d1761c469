"""The undefended model: what CASA is measured against."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, overload

import torch
from transformers.generation.streamers import TextStreamer

from casa.method.config import CasaConfig
from casa.method.tokens import add_safety_tokens
from casa.model.bases import load_base, load_processor, pinned
from casa.model.batching import by_answer, is_batch, model_inputs, with_given_ids
from casa.model.checkpoint import read_config, resolve
from casa.model.families import tokenizer_of, untrained_media
from casa.model.messages import ChatFormat, Message, Prompt


class Undefended:
    """The base model of a CASA model, without CASA: plain chat in the same format.

    Args:
        model: the base model.
        chat: its chat format.
    """

    def __init__(self, model: Any, chat: ChatFormat) -> None:
        self.model = model
        self.chat = chat

    @classmethod
    def from_pretrained(cls, source: str) -> Undefended:
        """Loads the base model that a CASA model was trained on.

        Args:
            source: "casa-nano", a CASA folder, or a hub id of a CASA model.

        Raises:
            CheckpointError: `source` is no CASA model.
        """
        content = read_config(resolve(source))
        config = replace(CasaConfig.from_dict(content["casa"]), safety_prompt=None)  # the prompt belongs to the defence
        name, files = content["base_model"]["name"], pinned(content["base_model"])
        return cls.around(load_base(name, **files), load_processor(name, **files), config)

    @classmethod
    def around(cls, model: Any, processor: Any, config: CasaConfig) -> Undefended:
        """Plain chat with a model that is loaded already.

        Args:
            model: the MLLM.
            processor: its processor; the two safety tokens are added to it, for they mark texts while a prompt is rendered.
            config: names the tokens; its safety prompt is put into the system message.
        """
        tokens = add_safety_tokens(tokenizer_of(processor), config)
        return cls(model, ChatFormat(processor, tokens, config, untrained_media(model)))

    @overload
    def respond(self, messages: Sequence[Message], max_new_tokens: int = ..., **arguments: Any) -> str: ...

    @overload
    def respond(
        self, messages: Sequence[Sequence[Message]], max_new_tokens: int = ..., **arguments: Any
    ) -> list[str]: ...

    @torch.inference_mode()
    def respond(
        self,
        messages: Any,
        max_new_tokens: int = 256,
        on_text: Callable[[str], None] | None = None,
        **arguments: Any,
    ) -> str | list[str]:
        """Answers a conversation, or a list of conversations as one batch; a last assistant message is continued.

        Args:
            messages: the conversation, or a list of conversations.
            max_new_tokens: length of the answer.
            on_text: given the answer piece by piece as it comes; for one conversation only.
            arguments: further arguments of `generate`; greedy decoding where nothing else is asked for.
        """
        if not is_batch(messages):
            if on_text is not None:
                arguments["streamer"] = _Pieces(self.chat.tokenizer, on_text)
            return self.respond([messages], max_new_tokens, **arguments)[0]
        return self.continued(
            [self.chat.prompt(conversation) for conversation in messages], max_new_tokens, **arguments
        )

    def continued(self, prompts: Sequence[Prompt], max_new_tokens: int, **arguments: Any) -> list[str]:
        """What the model writes behind each prompt and its prefill; arguments as of `respond`."""
        tokenizer = self.chat.tokenizer
        answers: dict[int, str] = {}
        for group in by_answer(self.model, prompts):
            batch = model_inputs(self.model, [prompts[i] for i in group], tokenizer.pad_token_id)
            inputs = with_given_ids(batch, prompts[group[0]].prefill_ids)
            output = self.model.generate(**inputs, **{"do_sample": False, **arguments}, max_new_tokens=max_new_tokens)
            texts = tokenizer.batch_decode(output[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
            answers |= {i: text.strip() for i, text in zip(group, texts, strict=True)}
        return [answers[i] for i in range(len(prompts))]


class _Pieces(TextStreamer):
    """Hands over finished pieces of text."""

    def __init__(self, tokenizer: Any, on_text: Callable[[str], None]) -> None:
        super().__init__(tokenizer, skip_prompt=True, skip_special_tokens=True)
        self._on_text = on_text

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
        self._on_text(text)
