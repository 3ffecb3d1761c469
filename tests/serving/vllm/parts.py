"""Settings as an exported checkpoint has them."""

from casa.method import CasaConfig, SafetyTokens
from casa.serving.vllm.settings import ServedSettings

SAFE, UNSAFE, STOP, TURN, ROWS = 6, 7, 2, 8, 10


def served(**choices):
    """Settings of a model with ten tokens."""
    return ServedSettings(
        config=CasaConfig(**choices),
        tokens=SafetyTokens(SAFE, UNSAFE),
        num_heads=2,
        head_dim=8,
        stop_id=STOP,
        control_ids=(STOP, SAFE, UNSAFE, TURN),
        untrained_media=("image",),
        weights_sha256="0" * 64,
    )
