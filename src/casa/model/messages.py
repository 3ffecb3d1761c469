"""From chat messages to model inputs: checks, media, and text that cannot become a control token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from jinja2 import TemplateError
from torch import Tensor

from casa.errors import MessageError
from casa.method.config import CasaConfig
from casa.method.tokens import SafetyTokens
from casa.model.families import renders_to_ids, tokenizer_of
from casa.model.hardening import control_tokens, with_marker
from casa.model.loading import load_media
from casa.model.media import MediaLimits
from casa.model.rendered import rendered_inputs
from casa.model.tools import checked_calls, require_showable

Message = Mapping[str, Any]
ROLES = ("system", "user", "assistant", "tool")
MEDIA = ("image", "audio", "video")
_CALL_KEYS = {"assistant": "tool_calls", "tool": "tool_call_id"}  # what messages of a role may say of calls of tools
_SETTINGS = {"audio": "sampling_rate", "video": "fps"}  # keys beside the medium itself
PER_TOKEN = (  # of shape (rows, tokens), the last (rows, tokens, images, tiles)
    *("input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids"),
    "cross_attention_mask",
)


class Prompt(NamedTuple):
    """One conversation, ready for the model.

    Attributes:
        inputs: tensors for the model's forward, batch size 1; `input_ids` ends where the safety token comes.
        prefill_ids: ids of a given beginning of the answer; they follow the safety token.
    """

    inputs: dict[str, Tensor]
    prefill_ids: list[int]


class RawPrompt(NamedTuple):
    """One conversation, ready for an engine that processes media by itself.

    Attributes:
        ids: of the prompt, up to where the safety token comes; a medium is the one placeholder that the chat template writes.
        media: loaded, in the order of the placeholders of each kind, as arguments of the family's processor.
        prefill_ids: ids of a given beginning of the answer; they follow the safety token.
    """

    ids: list[int]
    media: dict[str, Any]
    prefill_ids: list[int]


class ChatFormat:
    """Turns conversations into prompts in a model's own chat format.

    Args:
        processor: the family's processor, or the tokenizer of a text-only model; the safety tokens already added.
        tokens: the safety tokens.
        config: its safety prompt is put into the system message; its `safe_token` marks texts while they are rendered, in a copy of
            the processor where the safety tokens are words.
        refused_media: kinds of media that the model cannot take, refused with an error.

    Attributes:
        limits: of media; assign others to change them.
    """

    def __init__(
        self, processor: Any, tokens: SafetyTokens, config: CasaConfig, refused_media: frozenset[str] = frozenset()
    ) -> None:
        if config.safety_tokens == "existing" and not renders_to_ids(tokenizer_of(processor)):
            processor = with_marker(processor, config.safe_token)
        self.limits = MediaLimits()
        self.processor = processor
        self.tokenizer = tokenizer_of(processor)
        self.tokens = tokens
        self.control = control_tokens(processor)
        self._marker_id = self.tokenizer.convert_tokens_to_ids(config.safe_token)
        self._config = config
        self._refused_media = refused_media

    def prompt(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = ()) -> Prompt:
        """Checks and renders a conversation; a last assistant message becomes the prefill.

        Args:
            messages: the conversation. An earlier assistant message may have `tool_calls`, and content None beside them; a message
                of the role "tool" may have a `tool_call_id`.
            tools: handed to the chat template as they are.

        Raises:
            MessageError: the conversation is malformed, or holds a medium that is unreadable or not supported; or tools or calls
                that the chat template does not know, or that hold control tokens.
        """
        turns, prefill_ids = self._turns(messages, tools)
        return Prompt(self._inputs(turns, tools, self._media(turns)), prefill_ids)

    def raw_prompt(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = ()) -> RawPrompt:
        """As `prompt`, with media that are loaded and checked but not yet processed."""
        turns, prefill_ids = self._turns(messages, tools)
        media = self._media(turns)
        ids: list[int] = self._inputs(turns, tools, media, process=False)["input_ids"][0].tolist()
        return RawPrompt(ids, media, prefill_ids)

    def text_ids(self, text: str) -> list[int]:
        """Ids of a text that holds no control token."""
        if self.control.suspected_in(text):
            return self.control.plain_ids(text)
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids if not self.control.count(ids) else self.control.plain_ids(text)

    def end_of_turn_id(self) -> int:
        """The control token that ends an assistant's message in this chat format."""
        if renders_to_ids(self.tokenizer):
            return int(self.tokenizer.eos_token_id)
        turns = [
            {"role": "user", "content": [{"type": "text", "text": "x"}]},
            {"role": "assistant", "content": [{"type": "text", "text": self._marker(0)}]},
        ]
        ids = self._tokenize(self._render(turns, add_generation_prompt=False))
        start = max(i for i, token in enumerate(ids) if token == self._marker_id) + 1
        found = next((token for token in ids[start:] if token in self.control.ids), None)
        return int(found if found is not None else self.tokenizer.eos_token_id)

    # -- rendering -----------------------------------------------------------------------------------------------

    def _turns(
        self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]]
    ) -> tuple[list[dict[str, Any]], list[int]]:
        """The checked messages of a prompt, and the ids of its prefill."""
        turns = [_checked(message) for message in _as_list(messages)]
        template = getattr(self.processor, "chat_template", None) or getattr(self.tokenizer, "chat_template", None)
        require_showable(tools, turns, template, self.control)
        prefill = turns.pop() if turns[-1]["role"] == "assistant" else None
        if not turns:
            raise MessageError("a conversation needs a message before the assistant's")
        if prefill and "tool_calls" in prefill:
            raise MessageError(
                "calls of tools are followed by what the tools gave; a given beginning of the answer is text"
            )
        return self._with_safety_prompt(turns), self.text_ids(_only_text(prefill)) if prefill else []

    def _media(self, turns: list[dict[str, Any]]) -> dict[str, Any]:
        return load_media(media_parts(turns), self.processor, self.limits, self._refused_media)

    def _inputs(
        self,
        turns: list[dict[str, Any]],
        tools: Sequence[Mapping[str, Any]],
        media: dict[str, Any],
        process: bool = True,
    ) -> dict[str, Tensor]:
        """Inputs of the model; without `process` placeholders stay as they are."""
        if renders_to_ids(self.tokenizer):
            if media and not process:
                raise MessageError(
                    "this model's tokenizer leaves no placeholder for media that are processed elsewhere"
                )
            return rendered_inputs(self.processor, turns, media)
        texts = [part["text"] for turn in turns for part in turn["content"] if part["type"] == "text"]
        marked = self._marked(turns)
        joined = ["".join(p.get("text", "") for p in turn["content"]) for turn in turns]
        if not media and not any(self.control.suspected_in(text) for text in joined):
            ids = self._tokenize(self._render(turns, tools))
            expected = self.control.count(self._tokenize(self._render(marked, tools)))
            expected.pop(self._marker_id, None)
            if self.control.count(ids) == expected:
                return {"input_ids": torch.tensor([ids]), "attention_mask": torch.ones(1, len(ids), dtype=torch.long)}
        rendered = self._render(marked, tools)
        self._require_each_rendered(marked, media_parts(turns), rendered, tools)
        if process:
            return self._spliced(self._process(rendered, media), texts)
        return self._spliced({"input_ids": torch.tensor([self._tokenize(rendered)])}, texts)

    def _require_each_rendered(
        self,
        turns: list[dict[str, Any]],
        parts: list[dict[str, Any]],
        rendered: str,
        tools: Sequence[Mapping[str, Any]],
    ) -> None:
        """Checks that each medium leaves a trace in the rendered prompt: one that a template drops would go unseen."""
        for left_out in parts:
            nothing = {"type": "text", "text": ""}
            without = [
                {**turn, "content": [nothing if part is left_out else part for part in turn["content"]]}
                for turn in turns
            ]
            if self._render(without, tools) == rendered:
                raise MessageError(f"the model's chat template drops {left_out['type']} input here")

    def _spliced(self, inputs: dict[str, Tensor], texts: list[str]) -> dict[str, Tensor]:
        """Puts the plain ids of every text where its marker stands; nothing else in a prompt has a marker's token."""
        ids = inputs["input_ids"][0].tolist()
        ends = [i for i, token in enumerate(ids) if token == self._marker_id]
        if len(ends) != 2 * len(texts):
            raise MessageError("the chat template dropped or repeated a text, so it cannot be rendered safely")
        spliced, sources, last = [], [], 0
        for begin, end in zip(ends[::2], ends[1::2], strict=True):
            number = int(self.tokenizer.decode(ids[begin + 1 : end]))
            plain = self.control.plain_ids(texts[number])
            spliced += ids[last:begin] + plain
            sources += [*range(last, begin), *[begin] * len(plain)]
            last = end + 1
        spliced += ids[last:]
        sources += range(last, len(ids))
        per_token = {name: tensor[:, sources] for name, tensor in inputs.items() if name in PER_TOKEN}
        return {**inputs, **per_token, "input_ids": torch.tensor([spliced])}

    def _marker(self, number: int) -> str:
        return f"{self._config.safe_token}{number}{self._config.safe_token}"

    def _marked(self, turns: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The same conversation with a numbered marker in place of every text."""
        numbers = iter(range(10**6))
        return [
            {
                **turn,
                "content": [
                    {"type": "text", "text": self._marker(next(numbers))} if part["type"] == "text" else part
                    for part in turn["content"]
                ],
            }
            for turn in turns
        ]

    def _render(
        self,
        turns: list[dict[str, Any]],
        tools: Sequence[Mapping[str, Any]] = (),
        add_generation_prompt: bool = True,
    ) -> str:
        if self.processor is self.tokenizer:  # templates of text-only models take strings
            turns = [{**turn, "content": _only_text(turn)} for turn in turns]
        templated = self.processor if getattr(self.processor, "chat_template", None) else self.tokenizer
        if not templated.chat_template:
            raise MessageError("this model has no chat template; set `chat_template` of its processor or tokenizer")
        try:
            rendered: str = templated.apply_chat_template(
                turns,
                tokenize=False,
                add_generation_prompt=add_generation_prompt,
                **({"tools": list(tools)} if tools else {}),
            )
        except TemplateError as error:
            raise MessageError(f"the model's chat template refuses this conversation: {error}") from error
        return rendered

    def _tokenize(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=self._lacks_bos(text))["input_ids"]
        return ids

    def _lacks_bos(self, text: str) -> bool:
        """Whether the tokenizer is to begin a rendered prompt; as transformers decides it, for processors only."""
        bos = self.tokenizer.bos_token
        return self.processor is not self.tokenizer and bos is not None and not text.startswith(bos)

    def _process(self, text: str, media: dict[str, Any]) -> dict[str, Tensor]:
        settings = {"add_special_tokens": self._lacks_bos(text), "return_tensors": "pt"}
        if self.processor is self.tokenizer:
            return dict(self.tokenizer(text, **settings))
        try:
            return dict(self.processor(text=[text], **settings, **media))
        except ValueError as error:
            raise MessageError(f"the model's processor refuses these media: {error}") from error

    def _with_safety_prompt(self, turns: list[dict[str, Any]]) -> list[dict[str, Any]]:
        prompt = self._config.safety_prompt
        if prompt is None:
            return turns
        first = turns[0]
        if first["role"] != "system":
            return [{"role": "system", "content": [{"type": "text", "text": prompt}]}, *turns]
        # one text: templates that take the first part of a system message only would lose another
        joined = {"type": "text", "text": f"{_only_text(first)}\n\n{prompt}"}
        return [{**first, "content": [joined]}, *turns[1:]]


def media_parts(turns: Sequence[Message]) -> list[dict[str, Any]]:
    """Parts of a conversation that are no text, in order."""
    return [
        part
        for turn in turns
        if not isinstance(turn["content"], str)
        for part in turn["content"]
        if part["type"] != "text"
    ]


def _as_list(messages: Any) -> list[Any]:
    if isinstance(messages, str) or not isinstance(messages, Sequence) or not messages:
        raise MessageError("messages must be a non-empty list of {'role': ..., 'content': ...}")
    return list(messages)


def _checked(message: Any) -> dict[str, Any]:
    """A message with its content as a list of checked parts."""
    keys = set(message) if isinstance(message, Mapping) else set()
    if not {"role", "content"} <= keys <= {"role", "content", *_CALL_KEYS.values()}:
        raise MessageError(f"a message has exactly the keys 'role' and 'content', not {_keys(message)}")
    role, content = message["role"], message["content"]
    if role not in ROLES:
        raise MessageError(f"unknown role {role!r}; known are {', '.join(ROLES)}")
    if extra := keys - {"role", "content", _CALL_KEYS.get(role)}:
        raise MessageError(f"a message of the role {role!r} has no {', '.join(extra)}")
    turn = {"role": role}
    if message.get("tool_calls"):
        turn["tool_calls"] = checked_calls(message["tool_calls"])
        content = content or []  # many templates show no text beside calls, not even an empty one
    elif message.get("tool_call_id") is not None:
        turn["tool_call_id"] = str(message["tool_call_id"])
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    if not isinstance(parts, Sequence) or not (parts or "tool_calls" in turn):
        raise MessageError("a message's content is a string or a non-empty list of parts")
    return {**turn, "content": [_checked_part(part) for part in parts]}


def _checked_part(part: Any) -> dict[str, Any]:
    kind = part.get("type") if isinstance(part, Mapping) else None
    if kind not in ("text", *MEDIA):
        raise MessageError(f"a part's type is one of text, {', '.join(MEDIA)}; got {kind!r}")
    if kind not in part:
        raise MessageError(f"a part of type {kind!r} needs the key {kind!r}")
    if kind == "text":
        if not isinstance(part["text"], str):
            raise MessageError("the text of a text part must be a string")
        try:
            part["text"].encode("utf-8")
        except UnicodeEncodeError as error:
            raise MessageError(f"the text is not valid Unicode: {error.reason}") from error
    kept = ("type", kind, _SETTINGS.get(kind))
    return {name: part[name] for name in kept if name is not None and name in part}


def _only_text(turn: dict[str, Any]) -> str:
    """All text of a turn that may hold nothing else."""
    if any(part["type"] != "text" for part in turn["content"]):
        raise MessageError(f"{turn['role']} messages can only hold text here")
    return "".join(part["text"] for part in turn["content"])


def _keys(message: Any) -> str:
    return ", ".join(map(repr, message)) if isinstance(message, Mapping) else type(message).__name__
