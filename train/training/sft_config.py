"""The recipe and the base, said in the words of TRL and PEFT. Heavy libraries are imported inside the functions."""

from pathlib import Path
from typing import Any

from friends_corpus.core.cli import InputError, did_you_mean
from train.models.device import Device
from train.settings.base_preset import Base
from train.settings.recipe import Recipe


def sft_config(
    recipe: Recipe, base: Base, device: Device, output: Path, evaluate: bool = False, report_to: str = "none"
) -> Any:
    """Return TRL's settings; constants have their reason beside them.

    `evaluate`: held-out loss on the way; `report_to`: a tracker that transformers knows.
    """
    from trl.trainer.sft_config import SFTConfig

    return SFTConfig(
        output_dir=str(output),
        dataset_text_field=recipe.text_field,
        max_length=base.sequence_length,
        packing=recipe.packing != "none",
        packing_strategy="bfd" if recipe.packing == "none" else recipe.packing,
        shuffle_dataset=True,  # else a packed sequence holds neighbours of one episode
        num_train_epochs=recipe.epochs,
        max_steps=recipe.max_steps or -1,
        per_device_train_batch_size=base.batch_size,
        per_device_eval_batch_size=1,  # evaluation must fit wherever training did
        gradient_accumulation_steps=base.gradient_accumulation,
        gradient_checkpointing=base.gradient_checkpointing,
        ddp_find_unused_parameters=False,  # every step uses the whole adapter
        learning_rate=recipe.learning_rate,
        lr_scheduler_type=recipe.schedule,
        warmup_steps=recipe.warmup_share,
        weight_decay=recipe.weight_decay,
        max_grad_norm=recipe.max_grad_norm,
        bf16=device.mixed == "bfloat16",
        fp16=device.mixed == "float16",
        use_cpu=device.kind == "cpu",
        dataloader_pin_memory=device.kind != "cpu",
        seed=recipe.seed,
        logging_steps=1,
        logging_nan_inf_filter=False,  # the filter logs a NaN as loss 0.0
        save_strategy="steps",
        save_steps=1,  # until `Watch` knows how many steps there are
        eval_strategy="steps" if evaluate else "no",
        eval_steps=1,  # likewise
        disable_tqdm=True,  # our own progress
        log_level_replica="error",  # as rank 0 is told elsewhere; "warning" is the default
        report_to=report_to,
        push_to_hub=False,  # publishing is a command of its own; hub_token would be pickled in clear
    )


def lora_config(recipe: Recipe, model: Any) -> Any:
    """Return PEFT's settings; `lora_targets` is all-linear or the last names of layers: "q_proj,v_proj"."""
    from peft import LoraConfig

    targets = [name.strip() for name in recipe.lora_targets.split(",")]
    layers = {name.split(".")[-1] for name, _ in model.named_modules()}
    for name in targets if targets != ["all-linear"] else ():
        if name not in layers:
            raise InputError(
                f"lora_targets: the base has no layer {name!r}{did_you_mean(name, layers)}; try all-linear"
            )

    return LoraConfig(
        r=recipe.lora_rank,
        lora_alpha=recipe.lora_alpha,
        lora_dropout=recipe.lora_dropout,
        target_modules="all-linear" if targets == ["all-linear"] else targets,
        bias="none",
        task_type="CAUSAL_LM",
    )


def describe_adapter(config: Any, model: str, revision: str | None) -> None:
    """Set the base in adapter_config.json: its Hub id and commit, never a path of this machine."""
    config.base_model_name_or_path = model
    config.revision = revision
    config.target_modules = sorted(config.target_modules)  # PEFT's set has another order in every process
