"""`python -m casa.evaluation.nano_v_s RUN`: v_s of each class over training, from a run's own log; writes results/nano_v_s.json.

The log is in the run's newest checkpoint; each of its lines is a mean over the batches since the line before.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from casa.errors import CasaError
from casa.provenance import provenance
from casa.training.run_folder import RUN_FILE

CLASSES = ("malicious", "benign")
_LOG = "trainer_state.json"


def training_log(run: Path) -> list[dict[str, Any]]:
    """The log lines of a run that hold v_s, oldest first.

    Raises:
        CasaError: there is no finished checkpoint, or its log has no v_s.
    """
    states = sorted(run.glob(f"checkpoint-[0-9]*/{_LOG}"), key=lambda path: int(path.parent.name.rpartition("-")[2]))
    if not states:
        raise CasaError(f"{run} holds no checkpoint-*/{_LOG}; name the output_dir of a training run of CASA")
    history = json.loads(states[-1].read_text(encoding="utf-8"))["log_history"]
    lines = [line for line in history if all(f"v_s_{name}" in line for name in CLASSES)]
    if not lines:
        raise CasaError(f"the log of {run} holds no v_s; only the method casa writes it")
    return lines


def main() -> None:
    """Entry; see `--help`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the output_dir of a training run")
    parser.add_argument("--out", type=Path, default=Path("results/nano_v_s.json"))
    options = parser.parse_args()

    lines = training_log(options.run)
    figures = {
        "run": options.run.name,
        "steps": [line["step"] for line in lines],
        **{f"v_s_{name}": [line[f"v_s_{name}"] for line in lines] for name in CLASSES},
    }
    claim = options.run / RUN_FILE
    seed = json.loads(claim.read_text(encoding="utf-8"))["training"]["seed"] if claim.is_file() else 0
    result = {**provenance(torch.device("cpu"), seed), **figures}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
