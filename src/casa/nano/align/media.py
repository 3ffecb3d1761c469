"""Instructions and scenes as real pictures and clips, through the model's own towers: what the language model reads in use."""

from __future__ import annotations

import random
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from casa.errors import CasaError
from casa.model.messages import ChatFormat
from casa.nano.pictures.fonts import families_of
from casa.nano.pictures.pages import sample_page
from casa.nano.speech.say import voices

Medium = Literal["picture", "sound"]
MEDIA: dict[Medium, str] = {"picture": "image", "sound": "audio"}
_LONGEST = 28.0  # seconds of speech; the tower hears 30
_VOICES = 10**6


class Placed(NamedTuple):
    """A prompt with one medium.

    Attributes:
        ids: with the medium's placeholder for each cell or frame.
        vectors: the tower's, (placeholders, width).
        extra: arguments for the model's M-RoPE positions.
    """

    ids: list[int]
    vectors: Tensor
    extra: dict[str, Tensor]


class Towers:
    """Draws and says texts of the training split, and looks at them with a model's towers.

    Args:
        thinker: the model; its towers stay as they are.
        chat: its chat format; it must refuse none of them.
        media: those that it has trained towers for.
        scenes: whether its vision tower was trained on scenes too.
    """

    def __init__(self, thinker: Any, chat: ChatFormat, media: frozenset[Medium], scenes: bool = False) -> None:
        self._thinker, self._chat, self.media, self.scenes = thinker, chat, media, scenes

    def placed(self, text: str, prompt: str, medium: Medium, rng: random.Random) -> Placed | None:
        """A text as a medium, with a prompt beside it; None if it does not fit.

        Raises:
            CasaError: the model has no trained tower for it.
        """
        part = self._picture(text, rng) if medium == "picture" else self._clip(text, rng)
        return None if part is None else self.seen(part, prompt, medium)

    @torch.no_grad()
    def seen(self, part: dict[str, Any], prompt: str, medium: Medium) -> Placed:
        """A part of a message that holds a medium, with a prompt beside it.

        Raises:
            CasaError: the model has no trained tower for it.
        """
        if medium not in self.media:
            raise CasaError(f"the model has no trained tower for a {medium}")
        parts = [part, *([{"type": "text", "text": prompt}] if prompt else [])]
        inputs = self._chat.prompt([{"role": "user", "content": parts}]).inputs
        ids: list[int] = inputs["input_ids"][0].tolist()
        if medium == "picture":
            grid = inputs["image_grid_thw"]
            cells = self._thinker.get_image_features(inputs["pixel_values"], grid).pooler_output
            return Placed(ids, torch.cat(list(cells)), {"image_grid_thw": grid})
        mask = inputs["feature_attention_mask"]
        frames = self._thinker.get_audio_features(inputs["input_features"], mask).last_hidden_state
        return Placed(ids, frames, {"audio_seqlens": mask.sum(-1)})

    @staticmethod
    def _picture(text: str, rng: random.Random) -> dict[str, Any] | None:
        page = sample_page(text, rng, families_of("train"))
        return None if page is None else {"type": "image", "image": page.image}

    @staticmethod
    def _clip(text: str, rng: random.Random) -> dict[str, Any] | None:
        wave, rate = voices("train", rng.randrange(_VOICES))(text)
        return None if len(wave) > _LONGEST * rate else {"type": "audio", "audio": wave, "sampling_rate": rate}
