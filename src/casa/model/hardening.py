"""Text from outside never becomes a control token, and still reads the same to the model."""

from __future__ import annotations

import copy
import json
import re
from collections import Counter
from functools import cached_property
from typing import Any

from casa.errors import MessageError
from casa.model.families import renders_to_ids, tokenizer_of

# Some processors use such strings between rendering and tokenizing, e.g. "<|image_placeholder|>".
_INTERNAL_PLACEHOLDER = re.compile(r"<[^<>\s]{0,40}placeholder")


class ControlTokens:
    """The control tokens of a tokenizer, and a way to tokenize text that yields none of them.

    Control tokens are the special added tokens, and those added tokens that the chat template or the processor uses. Other
    added tokens are words like any other (Gemma adds line breaks and HTML tags).

    Args:
        processor: the family's processor or tokenizer, fast, the safety tokens already added.
    """

    def __init__(self, processor: Any) -> None:
        self._tokenizer = tokenizer = tokenizer_of(processor)
        used = str(getattr(processor, "chat_template", None) or "") + str(
            getattr(tokenizer, "chat_template", None) or ""
        )
        media = {str(value) for name, value in vars(processor).items() if name.endswith("_token") and value}
        controls = {
            token.content: number
            for number, token in tokenizer.added_tokens_decoder.items()
            if token.content.strip() and (token.special or token.content in used or token.content in media)
        }
        controls.update(zip(tokenizer.all_special_tokens, tokenizer.all_special_ids, strict=True))
        self.strings: tuple[str, ...] = tuple(controls)
        self.ids = frozenset(controls.values())

    def suspected_in(self, text: str) -> bool:
        """Whether a text holds a control token verbatim, or a placeholder that a processor might turn into one."""
        return any(string in text for string in self.strings) or bool(_INTERNAL_PLACEHOLDER.search(text))

    def count(self, ids: list[int]) -> Counter[int]:
        """How often each control token occurs."""
        return Counter(token for token in ids if token in self.ids)

    @cached_property
    def _plain(self) -> Any:
        """The tokenizer's own model and rules without any added token."""
        from tokenizers import Tokenizer

        spec = json.loads(self._tokenizer.backend_tokenizer.to_str())
        spec.update(added_tokens=[], post_processor=None, truncation=None, padding=None)
        return Tokenizer.from_str(json.dumps(spec))

    def plain_ids(self, text: str) -> list[int]:
        """Ids of a text read as ordinary characters only.

        Raises:
            MessageError: the tokenizer's vocabulary leaves no way to write the text without a control token.
        """
        ids = [token for piece in self._pieces(text) for token in self._plain.encode(piece).ids]
        if self.ids.intersection(ids):
            raise MessageError("the text cannot be written without control tokens of this model")
        return ids

    def _pieces(self, text: str) -> list[str]:
        """The text whole, or, where the vocabulary itself holds a control token as a word, with that word in characters."""
        if not self.ids.intersection(self._plain.encode(text).ids):
            return [text]
        parts = re.split("(" + "|".join(map(re.escape, sorted(self.strings, key=len, reverse=True))) + ")", text)
        return [piece for part in parts for piece in (list(part) if part in self.strings else [part])]


class UnreadControlTokens(ControlTokens):
    """The control tokens of a tokenizer that reads none of them out of text: every text is plain.

    Args:
        processor: the family's processor or tokenizer.
    """

    def __init__(self, processor: Any) -> None:
        self._tokenizer = tokenizer_of(processor)
        self.strings = ()
        self.ids = frozenset(self._tokenizer.all_special_ids)

    def suspected_in(self, text: str) -> bool:
        """Never."""
        return False

    def plain_ids(self, text: str) -> list[int]:
        """Ids of a text, as the tokenizer always reads it."""
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids


def with_marker(processor: Any, marker: str) -> Any:
    """A copy of a processor or tokenizer that has one more special token, which no model need know.

    Args:
        processor: of a family; it stays as it is.
        marker: text of the token.
    """
    tokenizer = copy.deepcopy(tokenizer_of(processor))
    tokenizer.add_tokens([marker], special_tokens=True)
    if tokenizer_of(processor) is processor:
        return tokenizer
    marked = copy.copy(processor)
    marked.tokenizer = tokenizer
    return marked


def control_tokens(processor: Any) -> ControlTokens:
    """The control tokens of a processor or tokenizer, the safety tokens already among them."""
    return (UnreadControlTokens if renders_to_ids(tokenizer_of(processor)) else ControlTokens)(processor)
