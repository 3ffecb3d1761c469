"""How the language model is taught to read."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class AlignRecipe:
    """How the language model is taught.

    Attributes:
        output_dir: the run's folder.
        base_model: whose language model it is.
        init_from: folder of a finished run on the same language model, whose adapter this one goes on from; "" starts afresh.
        vision_run: folder of a finished vision tower, whose vector of empty cells is then read as it is; "" learns one.
        audio_run: folder of a finished audio tower, likewise for empty frames.
        seed: of adapter, order and layouts.
        steps: in all.
        batch_size: instructions a step.
        answer_tokens: longest answer.
        text_share: instructions given as text, so that reading text stays what it was.
        sound_share: of the others, how many are sound.
        repeat_share: of the others, how many are words to be repeated, instead of instructions to be followed.
        spell_share: of the sounds to be repeated, how many are words said letter by letter.
        list_share: of the pictures to be repeated, how many are titles over empty numbered items.
        scene_share: of the pictures, how many are scenes with a question.
        real_share: of the pictures and sounds, how many are real ones seen by the base model's trained towers; the others are
            perfect layouts, as are scenes where the vision tower was not trained on any.
        noise: of the embeddings, as a share of their own standard deviation.
        lora_r: rank of the adapter, on the projections of attention and MLP.
        learning_rate: of the adapter.
        blank_learning_rate: of the vectors of empty cells and frames.
        warmup_steps: over which the rates rise; after them they fall linearly to zero.
        bf16: bfloat16 arithmetic; on processors without it, float32 is faster.
        dev_size: held-out instructions in each form.
        dev_steps: they are read every so many steps.
        save_steps: a checkpoint every so many steps.
    """

    output_dir: str = field(metadata={"help": "the run's folder"})
    base_model: str = "casa-nano"
    init_from: str = ""
    vision_run: str = ""
    audio_run: str = ""
    seed: int = 0
    steps: int = 600
    batch_size: int = 8
    answer_tokens: int = 32
    text_share: float = 0.2
    sound_share: float = 0.5
    repeat_share: float = 0.4
    spell_share: float = 0.1
    list_share: float = 0.0
    scene_share: float = 0.0
    real_share: float = 0.0
    noise: float = 0.1
    lora_r: int = 32
    learning_rate: float = 3e-4
    blank_learning_rate: float = 3e-3
    warmup_steps: int = 20
    bf16: bool = True
    dev_size: int = 32
    dev_steps: int = 100
    save_steps: int = 50

    def rate(self, step: int) -> float:
        """Share of the learning rates at a step, from 0."""
        return min((step + 1) / (self.warmup_steps + 1), (self.steps - step) / max(1, self.steps - self.warmup_steps))
