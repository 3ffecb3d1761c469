"""`python -m casa.nano.ship FOLDER`: puts a trained CASA folder into the package, its adapter rounded to bfloat16.

The run's summary becomes a results file.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from casa.method.config import CasaConfig
from casa.method.tokens import SafetyTokens
from casa.model.checkpoint import ADAPTER_CONFIG_FILE, ADAPTER_FILE, ATTENTION_FILE, read_config, write_config
from casa.nano.build import adapter_folder
from casa.training.recipe import SUMMARY_FILE


def ship(trained: Path, target: Path) -> None:
    """Copies a checked CASA folder; LoRA weights and token rows become bfloat16, safety attention stays float32."""
    content = read_config(trained)
    target.mkdir(parents=True, exist_ok=True)
    adapter = {name: tensor.to(torch.bfloat16) for name, tensor in load_file(trained / ADAPTER_FILE).items()}
    save_file(adapter, target / ADAPTER_FILE, metadata={"format": "pt"})
    for name in (ATTENTION_FILE, ADAPTER_CONFIG_FILE):
        shutil.copy(trained / name, target / name)
    write_config(
        target, CasaConfig.from_dict(content["casa"]), content["base_model"], SafetyTokens(**content["tokens"])
    )


def main() -> None:
    """Entry; see `--help`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="what `casa train` wrote")
    parser.add_argument(
        "--results", type=Path, default=Path("results/nano_training.json"), help="takes the run's summary"
    )
    options = parser.parse_args()
    ship(options.folder, adapter_folder())
    shutil.copy(options.folder / SUMMARY_FILE, options.results)
    size = sum(path.stat().st_size for path in adapter_folder().iterdir())
    print(f"shipped {options.folder} as {adapter_folder()} ({size / 1e6:.1f} MB)")


if __name__ == "__main__":
    main()
