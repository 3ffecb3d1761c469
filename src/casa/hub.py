"""A CASA model on the Hugging Face hub: its three files, their checksums, and a card that says what is known of it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from casa.errors import CheckpointError
from casa.evaluation.model_card import model_card
from casa.method.config import CasaConfig
from casa.method.tokens import SafetyTokens
from casa.model.checkpoint import (
    ADAPTER_CONFIG_FILE,
    ADAPTER_FILE,
    ATTENTION_FILE,
    CONFIG_FILE,
    read_config,
    strip_paths,
    write_config,
)

CARD = "README.md"


def push(
    folder: Path,
    repo_id: str,
    *,
    results: Sequence[Path] = (),
    run: Path | None = None,
    base_model: str | None = None,
    private: bool | None = None,
    token: str | None = None,
    revision: str | None = None,
    create_pr: bool = False,
) -> str:
    """Uploads a CASA folder; the repository is made if there is none.

    Nothing else of the folder is sent: no checkpoints, no data. A README.md that is there is taken as the card.

    Args:
        folder: written by training or `CasaModel.save_pretrained`.
        repo_id: "NAME/MODEL".
        results: files that the measuring commands wrote about this very adapter; their tables stand in the card.
        run: folder of the run whose data, fields and dev figures the card tells; None for `folder` itself.
        base_model: hub id under which others find the base model, if it was trained from a folder.
        private: whether a new repository is private; None for the account's default.
        token: of the hub; None for the one that is logged in.
        revision: branch to write to.
        create_pr: propose the upload instead of writing it.

    Returns:
        Where it is.

    Raises:
        CheckpointError: the folder is incomplete or altered, a result is of another adapter, or nobody else has the base model.
    """
    from huggingface_hub import HfApi

    content = read_config(folder)
    base = content["base_model"]
    if base_model not in (None, base["name"]):
        base = {**{name: base[name] for name in base if name != "revision"}, "name": base_model}
    if Path(base["name"]).is_dir() or Path(base["name"]).is_absolute():
        raise CheckpointError(
            f"others do not have the folder {base['name']}; give the base model's hub id as base_model"
        )
    with TemporaryDirectory() as scratch:
        sent = Path(scratch)
        for name in (ADAPTER_FILE, ATTENTION_FILE, ADAPTER_CONFIG_FILE):
            shutil.copy(folder / name, sent / name)
        strip_paths(sent / ADAPTER_CONFIG_FILE, base["name"])
        write_config(sent, CasaConfig.from_dict(content["casa"]), base, SafetyTokens(**content["tokens"]))
        written = folder / CARD
        card = (
            written.read_text(encoding="utf-8")
            if written.is_file()
            else model_card(sent, repo_id, run or folder, results)
        )
        (sent / CARD).write_text(card, encoding="utf-8")
        hub = HfApi(token=token)
        hub.create_repo(repo_id, private=private, exist_ok=True)
        files = [CONFIG_FILE, ADAPTER_FILE, ATTENTION_FILE, ADAPTER_CONFIG_FILE, CARD]
        done = hub.upload_folder(
            repo_id=repo_id,
            folder_path=sent,
            allow_patterns=files,
            commit_message="CASA adapter",
            revision=revision,
            create_pr=create_pr,
        )
    return str(done.pr_url or done.commit_url if create_pr else f"https://huggingface.co/{repo_id}")
