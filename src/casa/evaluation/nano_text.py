"""`python -m casa.evaluation.nano_text`: measures casa-nano on held-out text and writes results/nano_text.json."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from casa.baselines.pretrained import Undefended
from casa.data.held_out import held_out_queries
from casa.data.reading import SEED_DATA
from casa.evaluation.text import measure_text
from casa.hashing import sha256_of
from casa.model.casa_model import CasaModel
from casa.model.checkpoint import ADAPTER_FILE, resolve
from casa.provenance import provenance


def main() -> None:
    """Entry; see `--help`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="casa-nano", help="casa-nano or a CASA folder")
    parser.add_argument(
        "--split", choices=("dev", "test"), default="dev", help="test is touched once per reported table"
    )
    parser.add_argument("--data", nargs="+", default=[SEED_DATA], help="data files; seed is the shipped data set")
    parser.add_argument("--seed", type=int, default=0, help="of the choice of framings")
    parser.add_argument("--limit", type=int, help="at most so many queries of each kind")
    parser.add_argument("--max-new-tokens", type=int, default=32)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--out", type=Path, default=Path("results/nano_text.json"))
    options = parser.parse_args()

    casa, base = CasaModel.from_pretrained(options.model), Undefended.from_pretrained(options.model)
    queries = held_out_queries(options.split, options.seed, options.limit, options.data)
    figures = measure_text(casa, base, queries, options.max_new_tokens, options.batch_size)
    result = {
        **provenance(casa.device, options.seed),
        "model": options.model,
        "adapter_sha256": sha256_of(resolve(options.model) / ADAPTER_FILE),
        "data": [Path(name).name for name in options.data],
        "split": options.split,
        "max_new_tokens": options.max_new_tokens,
        **figures,
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
