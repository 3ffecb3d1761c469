"""Shares of v_s drawn over the text, image or sound that they belong to, and media to put into a page."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup, escape

from casa.model.outputs import Attribution, Place

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

_HEAT = (220, 30, 60)
_STRONGEST = 0.75  # opacity of the largest share
_FRAME_S, _HOP_S = 0.025, 0.010  # of the spectrogram


def placed(attributions: Sequence[Attribution], kind: str, number: int) -> list[tuple[Place, float]]:
    """Places and shares of one image or clip, in order."""
    found = ((a.place, a.weight) for a in attributions if a.place is not None)
    return [(place, weight) for place, weight in found if (place.kind, place.number) == (kind, number)]


def heat_over_text(attributions: Sequence[Attribution], risk: float) -> Markup:
    """Spans without space between them, as the tokens hold their own; `--w` of the largest share is `risk` (v_s)."""
    largest = max((abs(token.weight) for token in attributions), default=0.0) or 1.0
    return Markup("").join(_span(token, token.weight / largest * risk) for token in attributions)


def _span(token: Attribution, depth: float) -> Markup:
    kind = "t control" if token.control else "t"
    text = Markup('<span class="break">↵</span>').join(escape(line) for line in token.text.split("\n"))
    span = Markup('<span class="{}" style="--w:{:.3f}" title="{:.4f}">{}</span>')
    return span.format(kind, depth, token.weight, text)


def heat_over_image(image: Image, shares: Sequence[tuple[Place, float]]) -> Image:
    """The image under patches of red, the more opaque the larger their share; the largest share is the same red everywhere."""
    from PIL import Image as Images
    from PIL import ImageDraw

    mask = Images.new("L", image.size)
    draw = ImageDraw.Draw(mask)
    width, height = image.size
    largest = max((weight for _, weight in shares), default=0.0) or 1.0
    for place, weight in shares:
        box = (place.left * width, place.top * height, place.right * width - 1, place.bottom * height - 1)
        if box[2] >= box[0] and box[3] >= box[1]:
            draw.rectangle(box, fill=round(255 * _STRONGEST * max(0.0, weight) / largest))
    return Images.composite(Images.new("RGB", image.size, _HEAT), image.convert("RGB"), mask)


def heat_over_sound(wave: NDArray[np.float32], rate: int, shares: Sequence[tuple[Place, float]]) -> bytes:
    """Waveform and spectrogram of a clip, with the share of each frame as a line above both; PNG.

    Args:
        wave: mono samples.
        rate: theirs, in Hz.
        shares: places and shares of its frames.
    """
    from matplotlib.figure import Figure

    seconds = len(wave) / rate
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    top, middle, bottom = figure.subplots(3, 1, sharex=True, height_ratios=(1, 1, 2))
    edges = [seconds * shares[0][0].left, *(seconds * place.right for place, _ in shares)] if shares else [0, seconds]
    top.stairs([weight for _, weight in shares] or [0.0], edges, fill=True, color=np.array(_HEAT) / 255)
    top.set_ylabel("share\nof v_s")
    middle.plot(np.arange(len(wave)) / rate, wave, linewidth=0.4, color="0.3")
    middle.set_ylabel("wave")
    frame = max(2, round(_FRAME_S * rate))
    padded = np.pad(wave, (0, max(0, frame - len(wave))))
    bottom.specgram(padded + 1e-8, NFFT=frame, Fs=rate, noverlap=frame - max(1, round(_HOP_S * rate)), cmap="magma")
    bottom.set(ylabel="Hz", xlabel="seconds", xlim=(0, seconds))
    return _png(figure)


def as_data_url(picture: Image | bytes) -> str:
    """A picture, or PNG bytes, to put into an HTML file that needs nothing else."""
    if not isinstance(picture, bytes):
        buffer = BytesIO()
        picture.save(buffer, "PNG")
        picture = buffer.getvalue()
    return "data:image/png;base64," + b64encode(picture).decode()


def wav_url(wave: Any, rate: int) -> str:
    """A waveform, shape (samples,), floats in [-1, 1], as a data URL of 16-bit WAV; `rate` in Hz."""
    import soundfile

    buffer = BytesIO()
    soundfile.write(buffer, wave, rate, format="WAV", subtype="PCM_16")
    return "data:audio/wav;base64," + b64encode(buffer.getvalue()).decode()


def _png(figure: Any) -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
