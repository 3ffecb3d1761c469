"""The recipe of the tower's training, and what follows from it for each step."""

from __future__ import annotations

from dataclasses import dataclass, field

from casa.errors import CasaError
from casa.nano.vision.objective import Weights


@dataclass
class VisionRecipe:
    """How the tower is trained. Stage 1 reads strips by cell, stage 2 pages of all kinds by row.

    Attributes:
        output_dir: the run's folder.
        seed: of weights and pictures.
        depth: blocks of the tower.
        hidden_size: its width, a multiple of 64.
        intermediate_size: of its MLPs.
        tower_run: folder of a finished run, whose tower and heads this one goes on from; "" begins with random weights.
        steps: in all.
        strip_steps: of stage 1.
        cells_per_batch: cells of 28 px in a batch; a strip has 12.
        block_learning_rate: of Muon, on the blocks' matrices.
        learning_rate: of AdamW, on all else.
        weight_decay: of both.
        warmup_steps: over which the rates rise.
        decay_share: last share of the run over which the rates fall to zero, in (0, 1].
        max_grad_norm: the gradient is cut there.
        scene_share: of stage 2's pictures of four rows and more, how many are scenes, whose shapes the tower is to name.
        growth_share: first share of the run over which the pictures become as hard as they get, in (0, 1].
        blank_weight: of a blank cell in the cross-entropy.
        cell_weight: of the cross-entropy by cell in stage 2.
        pull_weight: of the squared distance to the target's embedding.
        sampled_pieces: so many of the pieces that a batch does not say are drawn for it; None takes all, at twice the time.
        bf16: bfloat16 arithmetic; on processors without it, float32 is faster.
        dev_strips: plain strips in the dev set.
        dev_pages: pages of all kinds in the dev set.
        workers: processes that draw pictures; 0 draws them between the steps.
        log_steps: a line and a point in TensorBoard every so many steps.
        dev_steps: the dev set is read every so many steps.
        save_steps: a checkpoint every so many steps.
        max_minutes: end the process after so many minutes, with a checkpoint; the same command goes on.
    """

    output_dir: str = field(metadata={"help": "the run's folder"})
    seed: int = 0
    depth: int = 6
    hidden_size: int = 256
    intermediate_size: int = 768
    tower_run: str = ""
    steps: int = 30000
    strip_steps: int = 5000
    cells_per_batch: int = 384
    block_learning_rate: float = 2e-3
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    warmup_steps: int = 100
    decay_share: float = 0.5
    max_grad_norm: float = 1.0
    growth_share: float = 0.6
    scene_share: float = 0.0
    blank_weight: float = 0.5
    cell_weight: float = 0.1
    pull_weight: float = 0.1
    sampled_pieces: int | None = 1000
    bf16: bool = True
    dev_strips: int = 64
    dev_pages: int = 24
    workers: int = 1
    log_steps: int = 50
    dev_steps: int = 1000
    save_steps: int = 500
    max_minutes: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.strip_steps <= self.steps:
            raise CasaError(f"strip_steps must be between 0 and steps, not {self.strip_steps}")
        if not 0 <= self.scene_share <= 1:
            raise CasaError(f"scene_share must be in [0, 1], not {self.scene_share}")
        for name in ("decay_share", "growth_share"):
            if not 0 < getattr(self, name) <= 1:
                raise CasaError(f"{name} must be in (0, 1], not {getattr(self, name)}")

    def strips_only(self, step: int) -> bool:
        """Whether a step, from 0, is of stage 1."""
        return step < self.strip_steps

    def difficulty(self, step: int) -> float:
        """How hard the hardest pictures of a step are, 0 to 1."""
        return min(1.0, step / (self.growth_share * self.steps))

    def rate(self, step: int) -> float:
        """Share of the learning rates at a step: rises, stays, falls to zero."""
        return min(1.0, (step + 1) / (self.warmup_steps + 1), (self.steps - step) / (self.decay_share * self.steps))

    def weights(self, step: int) -> Weights:
        """What the parts of the loss count at a step."""
        if self.strips_only(step):
            return Weights(cells=1.0, rows=0.0, pull=self.pull_weight, blank=self.blank_weight)
        return Weights(cells=self.cell_weight, rows=1.0, pull=self.pull_weight, blank=self.blank_weight)


SETTINGS_OF_THE_MACHINE = ("output_dir", "workers", "log_steps", "dev_steps", "save_steps", "max_minutes")
