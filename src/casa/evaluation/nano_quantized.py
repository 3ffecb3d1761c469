"""`python -m casa.evaluation.nano_quantized`: how far a quantised base model moves casa-nano's verdicts.

The decoder's linear layers are quantised, the adapter and safety attention stay as they were trained. Every form is compared with
float32 on held-out queries; a form whose package is not installed is left out and said to be. A form that is in the results file
already is not measured again. Written into results/nano_quantized.json.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib import metadata
from typing import Any

import numpy as np
import torch
from rich.console import Console
from torch import nn

from casa.data.held_out import CONTRASTS, held_out_queries
from casa.evaluation.measurement import measuring_parser, model_fields, write_result
from casa.evaluation.metrics import Rate
from casa.model.casa_model import CasaModel
from casa.model.checkpoint import read_config, resolve
from casa.model.outputs import Verdict
from casa.model.quantization import four_bit, kept_layers, quantized_layers
from casa.training.dev import area_under_roc, classify_texts

REFERENCE = "float32"
INT4_GROUP = 64


def _plain(dtype: torch.dtype) -> Callable[[str], CasaModel]:
    return lambda source: CasaModel.from_pretrained(source, merge=False, dtype=dtype)


def _bitsandbytes_4bit(source: str) -> CasaModel:
    return _loaded(source, four_bit(_base(source)))


def _bitsandbytes_8bit(source: str) -> CasaModel:
    from transformers import BitsAndBytesConfig

    return _loaded(source, BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=kept_layers(_base(source))))


def _torchao(bits: int) -> Callable[[str], CasaModel]:
    def load(source: str) -> CasaModel:
        from torchao.quantization import Int8WeightOnlyConfig, IntxWeightOnlyConfig, PerGroup
        from transformers import TorchAoConfig

        int4 = IntxWeightOnlyConfig(weight_dtype=torch.int4, granularity=PerGroup(INT4_GROUP))  # type: ignore[attr-defined]
        kept = kept_layers(_base(source))
        return _loaded(
            source, TorchAoConfig(int4 if bits == 4 else Int8WeightOnlyConfig(), modules_to_not_convert=kept)
        )

    return load


def _gguf(form: str) -> Callable[[str], CasaModel]:
    """In transformers a GGUF file becomes ordinary weights, so they are rounded here as the file would round them."""

    def load(source: str) -> CasaModel:
        casa = CasaModel.from_pretrained(source, merge=False, dtype=torch.float32)
        for name, layer in quantized_layers(casa.base_model).items():
            if "lora_" not in name:
                layer.weight.data = gguf_rounded(layer.weight.data, form)
        return casa

    return load


def gguf_rounded(weight: torch.Tensor, form: str) -> torch.Tensor:
    """A weight as it comes back from a GGUF file of this type, such as "Q4_0"."""
    from gguf import GGMLQuantizationType, dequantize, quantize

    kind = GGMLQuantizationType[form]
    return torch.from_numpy(dequantize(quantize(weight.float().numpy(), kind), kind).astype(np.float32)).to(
        weight.dtype
    )


FORMS: dict[str, tuple[str | None, Callable[[str], CasaModel]]] = {  # the package that each needs, and how it is loaded
    REFERENCE: (None, _plain(torch.float32)),
    "bfloat16": (None, _plain(torch.bfloat16)),
    "bitsandbytes 8 bits": ("bitsandbytes", _bitsandbytes_8bit),
    "bitsandbytes 4 bits (NF4)": ("bitsandbytes", _bitsandbytes_4bit),
    "torchao int8, weights only": ("torchao", _torchao(8)),
    "torchao int4, weights only": ("torchao", _torchao(4)),
    "GGUF Q8_0": ("gguf", _gguf("Q8_0")),
    "GGUF Q4_0": ("gguf", _gguf("Q4_0")),
}


def _base(source: str) -> str:
    name: str = read_config(resolve(source))["base_model"]["name"]
    return name


def _loaded(source: str, config: Any) -> CasaModel:
    return CasaModel.from_pretrained(source, dtype=torch.bfloat16, quantization_config=config)


def drift(found: Sequence[Verdict], reference: Sequence[Verdict]) -> dict[str, Any]:
    """How far verdicts are from those of the reference on the same queries: labels, p_unsafe and v_s."""
    same = sum(a.label == b.label for a, b in zip(found, reference, strict=True))
    moved = [abs(a.p_unsafe - b.p_unsafe) for a, b in zip(found, reference, strict=True)]
    risks = [abs(a.risk - b.risk) for a, b in zip(found, reference, strict=True)]
    return {
        "agreement": asdict(Rate.of(same, len(moved))),
        "p_unsafe_moved_mean": sum(moved) / len(moved),
        "p_unsafe_moved_most": max(moved),
        "v_s_moved_mean": sum(risks) / len(risks),
    }


def separation(verdicts: Sequence[Verdict], kinds: Sequence[str]) -> dict[str, float]:
    """AUROC of p_unsafe for each contrast of kinds."""
    scores = {kind: [v.p_unsafe for v, k in zip(verdicts, kinds, strict=True) if k == kind] for kind in set(kinds)}
    return {f"{a} against {b}": area_under_roc(scores[a], scores[b]) for a, b in CONTRASTS}


def layer_types(model: nn.Module) -> list[str]:
    """Names of the types that hold the decoder's quantised (or other) weights, to see that something was quantised."""
    layers = (module for name, module in model.named_modules() if name.endswith("q_proj.base_layer"))
    return sorted({f"{type(layer.weight).__name__} {layer.weight.dtype}".replace("torch.", "") for layer in layers})


def main() -> None:
    """Entry; see `--help`."""
    parser = measuring_parser(__doc__, "results/nano_quantized.json")
    options = parser.parse_args()
    queries = held_out_queries(options.split, options.seed, options.limit)
    texts = [(example.text, kind) for kind, found in queries.items() for example in found]
    kinds = [kind for _, kind in texts]
    console = Console(stderr=True)
    result = _earlier(options, len(texts))
    judged: dict[str, list[Verdict]] = {}
    for form, (package, load) in FORMS.items():
        if form in result["left_out"] or (form in result["forms"] and form != REFERENCE):
            continue
        with console.status(f"{form} ..."):
            casa = load(options.model)
            judged[form] = classify_texts(casa, [text for text, _ in texts], options.batch_size)
        result["forms"][form] = {
            "weights": layer_types(casa.base_model),
            **({"version": metadata.version(package)} if package else {}),
            **drift(judged[form], judged[REFERENCE]),
            "auroc": separation(judged[form], kinds),
        }
        write_result(options, casa.device, result)
        del casa
        gc.collect()


def _earlier(options: argparse.Namespace, count: int) -> dict[str, Any]:
    """What an interrupted run of the same measurement has found."""
    missing = {p for p, _ in FORMS.values() if p and importlib.util.find_spec(p) is None}
    left_out = {form: f"{package} is not installed" for form, (package, _) in FORMS.items() if package in missing}
    made_of = {"queries": count, "limit": options.limit}
    if options.out.is_file():
        found = json.loads(options.out.read_text(encoding="utf-8"))
        same = {**made_of, **model_fields(options.model), "split": options.split, "seed": options.seed}
        if same.items() <= found.items():
            return {**made_of, "forms": found["forms"], "left_out": left_out}
    return {**made_of, "forms": {}, "left_out": left_out}


if __name__ == "__main__":
    main()
