"""What the paper reports, for comparison: "Robust Multimodal Safety via Conditional Decoding", arXiv 2604.00310."""

from __future__ import annotations

from dataclasses import dataclass

SOURCE = "arXiv 2604.00310"
MODEL = "Qwen2.5-Omni"
BENCHMARKS = {"jb_prompt": "JB-Prompt", "jailbreakv": "JBV-28k", "mm_safetybench": "MM-SB", "aiah": "AIAH"}
PREFILL = (
    f"The paper ({SOURCE}) reports, for {MODEL}: attack success of the pretrained model rises from 65.3 to 84.7 % as the "
    "prefill grows; with CASA it is 0.0 % at 2, 4, 9 and 12 tokens. Here the lengths are words."
)

MME = (
    "Score: MME's own, 100 times accuracy plus 100 times the share of images with all questions right, summed over tasks; "
    "perception and cognition need all tasks of the official set. "
    f"The paper ({SOURCE}) reports for CASA on {MODEL} 1621 and 531 (3B), 1652 and 653 (7B)."
)


@dataclass(frozen=True)
class Published:
    """One row of the paper's main table.

    Attributes:
        size: of the model.
        method: how it was defended.
        safety_prompt: whether a safety prompt was added.
        attack_success: in per cent, in the order of `BENCHMARKS`.
    """

    size: str
    method: str
    safety_prompt: bool
    attack_success: tuple[float, float, float, float]


TABLE = (
    Published("3B", "pretrained", False, (42.3, 36.8, 37.7, 81.3)),
    Published("3B", "SSFT", False, (18.4, 7.9, 14.9, 71.0)),
    Published("3B", "circuit breaker", False, (0.9, 3.9, 5.1, 2.3)),
    Published("3B", "CASA", False, (0.0, 4.6, 9.2, 2.3)),
    Published("3B", "CASA", True, (0.0, 1.4, 1.2, 0.0)),
    Published("7B", "pretrained", False, (33.5, 37.9, 38.1, 64.2)),
    Published("7B", "SSFT", False, (0.0, 7.5, 8.8, 25.0)),
    Published("7B", "circuit breaker", False, (0.3, 5.7, 5.4, 24.4)),
    Published("7B", "CASA", False, (0.0, 0.7, 9.0, 1.1)),
    Published("7B", "CASA", True, (0.9, 0.0, 0.2, 0.6)),
)
