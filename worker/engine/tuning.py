"""Which weights are trained: all, only the head, or small matrices beside the frozen ones (LoRA)."""

from typing import Any

from torch import nn
from transformers.pytorch_utils import Conv1D

from app.training import FineTuneParams


def choose_weights(network: Any, params: FineTuneParams) -> None:
    """Freeze what is not to be trained, and put LoRA's matrices into the body where they are wished for.

    LoRA (Hu et al., 2021) goes into every linear layer of the body, with alpha twice the rank; the head is
    trained as a whole.
    """
    if params.tuning == "full":
        return
    body = f"{network.base_model_prefix}."
    if params.tuning == "lora":
        from peft import LoraConfig, inject_adapter_in_model  # seconds, which only LoRA should cost

        inside = [
            name
            for name, module in network.named_modules()
            if isinstance(module, nn.Linear | Conv1D) and name.startswith(body)
        ]
        config = LoraConfig(
            r=params.lora_rank, lora_alpha=2 * params.lora_rank, target_modules=inside
        )
        inject_adapter_in_model(config, network)
    for name, parameter in network.named_parameters():
        is_in_body = name.startswith(body) and ".lora_" not in name
        parameter.requires_grad = not is_in_body


def merge_adapters(network: Any) -> None:
    """Add LoRA's matrices to the weights they stand beside: the network is an ordinary one again."""
    if not any(".lora_" in name for name, _ in network.named_parameters()):
        return
    from peft.tuners.lora import LoraLayer

    for name, module in list(network.named_modules()):
        if isinstance(module, LoraLayer):
            module.merge(safe_merge=True)
            parent, _, child = name.rpartition(".")
            setattr(network.get_submodule(parent), child, module.get_base_layer())
