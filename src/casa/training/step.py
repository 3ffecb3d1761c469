"""One training step: the path of a request, with targets behind it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from casa.method.objective import answered_weight, class_weights, conditional_loss
from casa.model.batching import as_model_takes
from casa.model.casa_model import CasaModel
from casa.model.targets import layers_of


class ConditionalTask(nn.Module):
    """Computes the conditional loss of a batch; what the Trainer calls its model.

    Args:
        casa: the model that is trained.
    """

    def __init__(self, casa: CasaModel) -> None:
        super().__init__()
        self.casa = casa

    @property
    def _no_split_modules(self) -> list[str]:
        """Names of the classes that FSDP shares out by themselves: the decoder's layers."""
        return [type(layers_of(self.casa.base_model)[0]).__name__]

    def gradient_checkpointing_enable(self, **options: Any) -> None:
        """Recomputes activations in the backward pass, to save memory."""
        self.casa.base_model.gradient_checkpointing_enable(**options)
        self.casa.base_model.enable_input_require_grads()

    def answered(self, response_ids: Tensor, malicious: Tensor) -> Tensor:
        """Weight of a batch's examples that have a response, a scalar."""
        return answered_weight(response_ids, class_weights(malicious, self.casa.config.beta))

    def forward(
        self,
        inputs: dict[str, Tensor],
        prompt_mask: Tensor,
        response_ids: Tensor,
        malicious: Tensor,
        answered: Tensor | None = None,
    ) -> dict[str, Any]:
        """Loss and its parts on a batch from `ConditionalCollator`; one forward pass, logits at target positions only.

        `answered` is the mean of the method of this name over the batches that share a step; None where there is one.
        """
        keep = response_ids.shape[1] + 1
        inputs = as_model_takes(inputs, prompt_mask.device, self.casa.base_model.dtype)
        with self.casa.read_prefill(prompt_mask, keep=keep) as reader:
            output = self.casa.base_model(**inputs, use_cache=False)
        risk = reader.risk()
        config = self.casa.config
        loss = conditional_loss(
            reader.gated(position=0),
            malicious,
            output.logits[:, 1:],
            response_ids,
            risk,
            config.beta,
            config.risk_loss_weight,
            answered,
        )
        with torch.no_grad():
            by_class = {
                "v_s_malicious": risk.risk[malicious].mean().detach(),
                "v_s_benign": risk.risk[~malicious].mean().detach(),
            }
        return {"loss": loss.total, **{k: v.detach() for k, v in loss._asdict().items() if k != "total"}, **by_class}
