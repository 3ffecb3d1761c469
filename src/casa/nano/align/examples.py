"""Instructions given as pictures or sound, and scenes, as the language model would see them behind perfect towers."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from casa.nano.align.layouts import in_cells, in_frames, pieces_of, shapes_in_cells
from casa.nano.align.media import MEDIA, Medium, Towers
from casa.nano.pictures.questions import Question
from casa.nano.pictures.scenes import Scene, draw_scene
from casa.nano.speech.speakable import speakable
from casa.nano.speech.spelling import FORMS as SPELLINGS
from casa.nano.speech.spelling import spelled, transcript

Form = Literal["text", "picture", "sound"]
FORMS: tuple[Form, ...] = ("text", "picture", "sound")
FOLLOW = {
    "picture": (
        "Follow the instructions in the image.",
        "Do what the image says.",
        "Answer the question in the image.",
        "",
    ),
    "sound": (
        "Follow the instructions in the audio.",
        "Do what the recording says.",
        "Answer the spoken question.",
        "",
        "",
    ),
}
REPEAT = {
    "picture": ("What does the image say?", "Read the text in the image.", "Repeat the words in the image."),
    "sound": ("What is said in the recording?", "Write down what you hear.", "Repeat what is said."),
}
SPELL = (
    "Which word is spelled?",
    "What word do the letters make?",
    "Write the word that is spelled.",
    "Which letters do you hear?",
)
BRIEFLY = ("", "", " Answer briefly.", " Answer with one word.")
_PATCHES_A_CELL = 2  # each way: the vision tower merges 2 x 2 patches into a token
_MEL_A_FRAME = 4  # spectrogram frames in a token of the audio tower


@dataclass(frozen=True)
class Laid:
    """One prompt with its answer.

    Attributes:
        ids: of prompt and answer, with the medium's placeholder for each cell or frame, shape (length,).
        layout: pieces at the placeholders, shape (placeholders,); empty for text and for real media.
        positions: M-RoPE positions, shape (3, length).
        answer: number of ids at the end that are the answer.
        vectors: what a tower made of a real medium, shape (placeholders, width).
    """

    ids: Tensor
    layout: Tensor
    positions: Tensor
    answer: int
    vectors: Tensor | None = None


class Layouter:
    """Lays instructions out.

    Args:
        processor: casa-nano's.
        thinker: the model, for its positions.
        answer_tokens: longest answer.
        towers: for real media.
    """

    def __init__(self, processor: Any, thinker: Any, answer_tokens: int, towers: Towers | None = None) -> None:
        self._processor, self._thinker, self._most = processor, thinker, answer_tokens
        self._towers = towers
        self._placeholder = {
            "picture": processor.tokenizer.convert_tokens_to_ids(processor.image_token),
            "sound": processor.tokenizer.convert_tokens_to_ids(processor.audio_token),
        }
        self._end: list[int] = processor.tokenizer("<|im_end|>", add_special_tokens=False).input_ids

    def laid(
        self, text: str, answer: Sequence[int], form: Form, repeat: bool, rng: random.Random, real: bool = False
    ) -> Laid | None:
        """An instruction in one form, with its answer, or to be repeated.

        None if it does not fit, or if the answer holds a medium's placeholder, as the base model's now and then do.

        Args:
            text: the instruction.
            answer: ids of the language model's own answer to it as text.
            form: how it is given.
            repeat: whether to ask for its words instead.
            rng: of the layout and the prompt beside it.
            real: as a real medium, as far as the model has a trained tower for it.
        """
        target = list(answer[: self._most])
        if not set(target).isdisjoint(self._placeholder.values()):
            return None
        if form == "text":
            return self._joined([{"type": "text", "text": text}], [], target)
        if repeat:
            target = self._ids(_read(text, form))[: self._most - 1] + self._end
        prompt = rng.choice((REPEAT if repeat else FOLLOW)[form])
        return self._given(text, prompt, form, target, rng, real)

    def spelled(self, word: str, rng: random.Random, real: bool = False) -> Laid | None:
        """A word said letter by letter, to be written down; None if it does not fit.

        Args:
            word: in letters.
            rng: of the layout and the prompt beside it.
            real: as a real clip, as far as the model has a trained tower for it.
        """
        target = self._ids(word.lower()) + self._end
        return self._given(spelled(word, rng.choice(SPELLINGS)), rng.choice(SPELL), "sound", target, rng, real)

    def _given(
        self, text: str, prompt: str, form: Medium, answer: list[int], rng: random.Random, real: bool
    ) -> Laid | None:
        """A text in a medium with a prompt beside it, real if it can be; None if it does not fit."""
        if real and self._towers is not None and form in self._towers.media:
            placed = self._towers.placed(text, prompt, form, rng)
            return None if placed is None else self._finished(placed.ids, answer, placed.extra, vectors=placed.vectors)
        place = in_cells if form == "picture" else in_frames
        layout = place(pieces_of(self._processor.tokenizer, _read(text, form)), rng)
        return None if layout is None else self._beside(prompt, form, layout, answer)

    def _ids(self, text: str) -> list[int]:
        found: list[int] = self._processor.tokenizer(text, add_special_tokens=False).input_ids
        return found

    def asked(self, scene: Scene, question: Question, rng: random.Random, real: bool = False) -> Laid | None:
        """A question about a scene, with its answer; None if the scene's words do not fit into its cells.

        Args:
            scene: what is in the picture.
            question: about it.
            rng: of the words after the question.
            real: as a real picture, as far as the model has a tower that was trained on scenes.
        """
        target = self._ids(question.answer) + self._end
        prompt = question.text + rng.choice(BRIEFLY)
        if real and self._towers is not None and self._towers.scenes:
            placed = self._towers.seen({"type": "image", "image": draw_scene(scene)}, prompt, "picture")
            return self._finished(placed.ids, target, placed.extra, vectors=placed.vectors)
        layout = shapes_in_cells(scene, self._processor.tokenizer)
        return None if layout is None else self._beside(prompt, "picture", layout, target)

    def _beside(self, prompt: str, form: Medium, layout: Tensor, answer: list[int]) -> Laid:
        parts = [{"type": MEDIA[form]}, *([{"type": "text", "text": prompt}] if prompt else [])]
        return self._joined(parts, [(form, layout)], answer)

    def _joined(self, parts: list[dict[str, Any]], media: list[tuple[Form, Tensor]], answer: list[int]) -> Laid:
        tokenizer = self._processor.tokenizer
        chat = [{"role": "user", "content": parts}]
        rendered = self._processor.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        ids: list[int] = tokenizer(rendered, add_special_tokens=False).input_ids
        extra: dict[str, Tensor] = {}
        layout = None
        for form, placed in media:
            at = ids.index(self._placeholder[form])
            ids[at : at + 1] = [self._placeholder[form]] * placed.numel()
            layout = placed.flatten()
            if form == "picture":
                extra["image_grid_thw"] = torch.tensor([[1, *(_PATCHES_A_CELL * side for side in placed.shape)]])
            else:
                extra["audio_seqlens"] = torch.tensor([_MEL_A_FRAME * len(placed)])
        return self._finished(ids, answer, extra, layout)

    def _finished(
        self,
        ids: list[int],
        answer: list[int],
        extra: dict[str, Tensor],
        layout: Tensor | None = None,
        vectors: Tensor | None = None,
    ) -> Laid:
        whole = torch.tensor([ids + answer])
        positions, _ = self._thinker.get_rope_index(whole, attention_mask=torch.ones_like(whole), **extra)
        layout = torch.empty(0, dtype=torch.long) if layout is None else layout
        return Laid(whole[0], layout, positions[:, 0], len(answer), vectors)


def _read(text: str, form: Medium) -> str:
    """What a perfect reader would read: speech has neither capitals nor punctuation."""
    return transcript(speakable(text)) if form == "sound" else text
