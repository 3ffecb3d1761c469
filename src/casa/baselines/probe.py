"""A linear probe: logistic regression on what enters the LM head at the last prompt position of the frozen model.

The decision costs nothing beside the prefill that happens anyway, as CASA's does; what it calls unsafe gets the fixed refusal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import LogitsProcessor

from casa.baselines.folder import write_defence
from casa.baselines.guard import verdicts
from casa.baselines.interface import Reply
from casa.baselines.pretrained import Undefended
from casa.baselines.run import Run
from casa.data.held_out import batches_of_like_length
from casa.data.reading import Example
from casa.errors import CheckpointError, DataError
from casa.model.batching import by_answer, by_forward_pass, model_inputs
from casa.model.decoding import on_hidden_states, on_last_positions, only
from casa.model.families import stop_ids
from casa.model.messages import Message, Prompt
from casa.model.outputs import Verdict
from casa.model.refusal import FIXED_REFUSAL

PROBE_FILE = "probe.safetensors"
_FOLDS, _STRENGTHS = 5, 10  # of the cross-validation that chooses how strongly the weights are regularised


@dataclass
class ProbeSettings:
    """How the probe is fitted.

    Attributes:
        probe_strength: inverse strength of the regularisation, > 0; None chooses one by five-fold cross-validation on the
            training data.
    """

    probe_strength: float | None = None

    def __post_init__(self) -> None:
        """Checks the strength.

        Raises:
            ValueError: it is not positive.
        """
        if self.probe_strength is not None and self.probe_strength <= 0:
            raise ValueError(f"probe_strength must be > 0, not {self.probe_strength}")


def fitted(states: Tensor, malicious: Tensor, seed: int, strength: float | None = None) -> nn.Linear:
    """Logistic regression on standardised states, folded into one linear map to the logit of "malicious".

    Args:
        states: shape (n, width).
        malicious: labels, shape (n,); at least five of each.
        seed: of the folds.
        strength: as of `ProbeSettings`.

    Raises:
        DataError: too few examples of a class.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, StratifiedKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if min(malicious.sum(), (~malicious).sum()) < _FOLDS:
        raise DataError(f"a probe needs at least {_FOLDS} malicious and {_FOLDS} benign examples")
    search = GridSearchCV(
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
        {"logisticregression__C": np.logspace(-5, 1, _STRENGTHS) if strength is None else [strength]},
        cv=StratifiedKFold(_FOLDS, shuffle=True, random_state=seed),
        scoring="neg_log_loss",
    )
    search.fit(states.double().numpy(), malicious.numpy())
    scaler, regression = (step for _, step in search.best_estimator_.steps)
    weight = regression.coef_[0] / scaler.scale_
    bias = regression.intercept_[0] - weight @ scaler.mean_
    probe = nn.Linear(states.shape[1], 1)
    with torch.no_grad():
        probe.weight.copy_(torch.from_numpy(weight)[None])
        probe.bias.fill_(float(bias))
    return probe.requires_grad_(False)


class Probed:
    """The frozen model with a probe on its prefill.

    Args:
        base: the model.
        probe: from the last prompt position's state to the logit of "malicious".
        threshold: probability from which the verdict is "unsafe".
    """

    def __init__(self, base: Undefended, probe: nn.Linear, threshold: float) -> None:
        self.base, self.threshold = base, threshold
        self.probe = probe.to(base.model.device)

    def verdicts(self, states: Tensor) -> list[Verdict]:
        """Verdicts from states of last prompt positions, shape (batch, width)."""
        logit = self.probe(states.float())
        return verdicts(torch.cat([torch.zeros_like(logit), logit], dim=-1), self.threshold)

    def classify(self, messages: Sequence[Sequence[Message]]) -> list[Verdict]:
        """One verdict a conversation, from one prefill."""
        return self.verdicts(last_states(self.base, [self.base.chat.prompt(m) for m in messages]))

    @torch.inference_mode()
    def respond(self, messages: Sequence[Sequence[Message]], max_new_tokens: int = 256) -> list[Reply]:
        """See `Defence.respond`; what is called unsafe gets the fixed refusal, and nothing is generated for it."""
        prompts = [self.base.chat.prompt(conversation) for conversation in messages]
        replies: dict[int, Reply] = {}
        for group in by_answer(self.base.model, prompts):
            replies |= zip(group, self._replies([prompts[i] for i in group], max_new_tokens), strict=True)
        return [replies[i] for i in range(len(prompts))]

    def _replies(self, prompts: list[Prompt], max_new_tokens: int) -> list[Reply]:
        """Of prompts with the same prefill."""
        model, tokenizer, given = self.base.model, self.base.chat.tokenizer, prompts[0].prefill_ids
        inputs = batched(self.base, prompts)
        step = _ProbeStep(self, given, stop_ids(model, tokenizer)[0])
        with on_hidden_states(model, "final", step.read):
            output = model.generate(
                **inputs, do_sample=False, max_new_tokens=max_new_tokens + len(given), logits_processor=[step]
            )
        rows = output[:, inputs["input_ids"].shape[1] + len(given) :]
        texts = tokenizer.batch_decode(rows, skip_special_tokens=True)
        return [
            Reply(FIXED_REFUSAL if verdict.label == "unsafe" else text.strip(), verdict)
            for text, verdict in zip(texts, step.verdicts, strict=True)
        ]


class _ProbeStep(LogitsProcessor):
    """Decides at the first step, from the state that the prefill left; ends unsafe rows, and puts the prefill behind the others."""

    def __init__(self, probed: Probed, given_ids: list[int], stop_id: int) -> None:
        self._probed, self._given_ids, self._stop_id = probed, given_ids, stop_id
        self._step = 0
        self.verdicts: list[Verdict] = []

    def read(self, hidden: Tensor) -> None:
        """Takes what the forward pass ends in; only the prefill's counts."""
        if not self.verdicts:
            self.verdicts = self._probed.verdicts(hidden[:, -1])

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        step, self._step = self._step, self._step + 1
        if step < len(self._given_ids):
            scores = only(scores, torch.full((len(scores),), self._given_ids[step], device=scores.device))
        if step == 0:
            unsafe = torch.tensor([verdict.label == "unsafe" for verdict in self.verdicts], device=scores.device)
            stopped = only(scores, torch.full((len(scores),), self._stop_id, device=scores.device))
            scores = torch.where(unsafe[:, None], stopped, scores)
        return scores


def batched(base: Undefended, prompts: Sequence[Prompt]) -> dict[str, Tensor]:
    """Prompts as one batch, on the model's device, without their prefills."""
    return model_inputs(base.model, prompts, base.chat.tokenizer.pad_token_id or 0)


@torch.inference_mode()
def last_states(base: Undefended, prompts: Sequence[Prompt]) -> Tensor:
    """What enters the LM head at the last position of each prompt, shape (n, width); one prefill."""
    states: dict[int, Tensor] = {}
    for group in by_forward_pass(base.model, prompts):
        seen: list[Tensor] = []
        with on_hidden_states(base.model, "final", seen.append), on_last_positions(base.model, 1):
            base.model(**batched(base, [prompts[i] for i in group]), use_cache=False)
        states |= zip(group, seen[0][:, -1], strict=True)
    return torch.stack([states[i] for i in range(len(prompts))])


def cached_last_states(base: Undefended, examples: Sequence[Example], batch_size: int) -> Tensor:
    """The same of many queries, in float32 on the CPU."""
    states: dict[int, Tensor] = {}
    batches = list(batches_of_like_length([example.key() for example in examples], batch_size))
    for indices in track(batches, "hidden states", console=Console(stderr=True)):
        found = last_states(base, [base.chat.prompt(examples[i].messages()) for i in indices])
        states.update(zip(indices, found.float().cpu().clone(), strict=True))
    return torch.stack([states[i] for i in range(len(examples))])


def load_probe(path: Path) -> nn.Linear:
    """A saved probe.

    Raises:
        CheckpointError: a weight is not finite.
    """
    state = load_file(path)
    if not all(tensor.isfinite().all() for tensor in state.values()):
        raise CheckpointError(f"{path} holds values that are not finite")
    probe = nn.Linear(state["weight"].shape[1], 1)
    probe.load_state_dict(state)
    return probe.requires_grad_(False)


def train(run: Run) -> dict[str, Any]:
    """Fits a probe to the states of the queries that CASA is trained on; returns the run's summary."""
    base, examples = Undefended(run.base, run.chat), run.casa_examples
    states = cached_last_states(base, examples, 2 * run.training.per_device_train_batch_size)
    malicious = torch.tensor([example.malicious for example in examples])
    probe = fitted(states, malicious, run.training.seed, run.settings.probe_strength)
    save_file(probe.state_dict(), run.output / PROBE_FILE)
    write_defence(run.output, run.saved, (PROBE_FILE,))
    probed = Probed(base, probe, run.config.threshold)
    return run.summary(examples, {"dev": run.dev_figures(probed)})
