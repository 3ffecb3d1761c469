"""Adaptive white-box attacks on media: bounded noise on the pixels of an image, or on a waveform, against the gated margin.

Projected gradient descent (Madry et al. 2018, arXiv 1706.06083), with gradients through towers, language model and
safety attention.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from casa.attacks.adaptive import Attempt
from casa.model.casa_model import CasaModel
from casa.model.margin import gated_margin
from casa.model.waveforms import load_audio

_LEVELS = 255  # of a colour channel


def pixel_attack(casa: CasaModel, messages: Sequence[Any], levels: float, steps: int) -> Iterator[Attempt]:
    """Noise on the pixels of a conversation's images, as the model is given them.

    Every value moves freely within the bound: beyond black and white too, and in each of the equal frames that some families make
    of an image. That is more than a picture can do, so the attack is no weaker than one on a file.

    Args:
        casa: the model; its processor normalises pixels to `pixel_values`.
        messages: a conversation with an image.
        levels: largest change of a colour channel, of 255.
        steps: most steps; it ends before if the verdict is "safe".

    Yields:
        The attempt before the first step and after each.
    """
    inputs = _inputs(casa, messages)
    clean = inputs["pixel_values"].float()
    bound = pixel_bound(clean, casa.processor.image_processor.image_std, levels)
    return _descent(casa, inputs, "pixel_values", clean, bound, steps, lambda pixels: pixels)


def pixel_bound(pixels: Tensor, std: Sequence[float], levels: float) -> Tensor:
    """What so many levels of 255 are in normalised pixels, whose channels have deviations of their own.

    Args:
        pixels: shape (..., channels, rows, columns), or flat patches (patches, channels * values) as Qwen's, channel after channel.
        std: of the channels, as they are normalised.
        levels: of a colour channel.

    Returns:
        A tensor that broadcasts to `pixels`.
    """
    bound = levels / _LEVELS / torch.tensor(std, device=pixels.device)
    return bound.repeat_interleave(pixels.shape[-1] // len(std)) if pixels.ndim == 2 else bound[:, None, None]


def waveform_attack(casa: CasaModel, messages: Sequence[Any], epsilon: float, steps: int) -> Iterator[Attempt]:
    """Noise on the samples of a conversation's clip.

    Args:
        casa: the model; its processor makes a log-mel spectrogram as Whisper's does.
        messages: a conversation whose last message holds one clip.
        epsilon: largest change of a sample, where full scale is 1.
        steps: most steps; it ends before if the verdict is "safe".

    Yields:
        The attempt before the first step and after each.
    """
    extractor = casa.processor.feature_extractor
    clip = next(part for part in messages[-1]["content"] if part["type"] == "audio")
    wave = torch.from_numpy(load_audio(clip["audio"], extractor.sampling_rate, clip.get("sampling_rate")))

    bound = torch.tensor(epsilon, device=casa.device)

    def heard(samples: Tensor) -> Tensor:
        return log_mel(samples, extractor)[None]

    return _descent(casa, _inputs(casa, messages), "input_features", wave.to(casa.device), bound, steps, heard)


def log_mel(wave: Tensor, extractor: Any) -> Tensor:
    """Whisper's log-mel spectrogram of a wave, shape (samples,), differentiable; shape (mel bands, frames)."""
    whole = pad(wave, (0, extractor.n_samples - len(wave)))
    window = torch.hann_window(extractor.n_fft, device=wave.device)
    spectrum = torch.stft(whole, extractor.n_fft, extractor.hop_length, window=window, return_complex=True)
    power = spectrum[..., :-1].abs() ** 2
    bands = torch.from_numpy(extractor.mel_filters).to(power).T @ power
    levels = bands.clamp(min=1e-10).log10()
    return (torch.maximum(levels, levels.max() - 8) + 4) / 4


def _inputs(casa: CasaModel, messages: Sequence[Any]) -> dict[str, Tensor]:
    return {name: tensor.to(casa.device) for name, tensor in casa.chat.prompt(messages).inputs.items()}


def _descent(
    casa: CasaModel,
    inputs: dict[str, Tensor],
    name: str,
    clean: Tensor,
    bound: Tensor,
    steps: int,
    as_input: Callable[[Tensor], Tensor],
) -> Iterator[Attempt]:
    """Signed gradient steps of a quarter of the bound, each projected back into it.

    Args:
        casa: the model.
        inputs: of the prompt.
        name: the input that the noise changes.
        clean: what it is added to.
        bound: largest change (L-infinity) of all values or of each; broadcasts to `clean`.
        steps: most steps.
        as_input: makes that input of clean data and noise.
    """
    noise = torch.zeros_like(clean)
    for step in range(steps + 1):
        noise.requires_grad_(True)
        margin = gated_margin(casa, {**inputs, name: as_input(clean + noise).to(inputs[name].dtype)}).sum()
        broken = torch.sigmoid(margin).item() < casa.config.threshold
        yield Attempt(step, margin.item(), broken)
        if broken:
            return
        (gradient,) = torch.autograd.grad(margin, noise)
        noise = (noise.detach() - bound / 4 * gradient.sign()).clamp(-bound, bound)
