"""The fields of `trl.SFTConfig`: those that a recipe may set, and why it may not set the others.

Written for TRL 1.16 and transformers 5.23. tests/train/test_sft_fields.py fails when the installed SFTConfig has a
field that is not sorted here, or another default.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from friends_corpus.core.manifest import Positive
from friends_corpus.core.reader import Text, closed


def _as_float(value: Any) -> Any:
    """Read what YAML 1.1 takes for text as the number that it is: 2e-4."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


Number = Annotated[float, BeforeValidator(_as_float)]
Share = Annotated[Number, Field(ge=0, lt=1)]
Above0 = Annotated[Number, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]
Schedule = Literal[
    "constant",
    "constant_with_warmup",
    "cosine",
    "cosine_with_min_lr",
    "cosine_with_restarts",
    "inverse_sqrt",
    "linear",
    "polynomial",
    "warmup_stable_decay",
]
Optimizer = Literal[
    "adafactor",
    "adagrad",
    "adamw_8bit",
    "adamw_bnb_8bit",
    "adamw_torch",
    "adamw_torch_fused",
    "lion_32bit",
    "lion_8bit",
    "paged_adamw_32bit",
    "paged_adamw_8bit",
    "paged_lion_32bit",
    "paged_lion_8bit",
    "rmsprop",
    "sgd",
]


@closed
@dataclass(frozen=True)
class SftSettings:
    """What a recipe may set, with the names and defaults of SFTConfig; a recipe sets what differs from them."""

    num_train_epochs: Above0 = 3.0
    max_steps: Annotated[int, Field(ge=-1)] = -1  # optimizer steps; -1: as many as num_train_epochs asks for
    learning_rate: Annotated[Number, Field(gt=0, lt=1)] = 2e-5
    lr_scheduler_type: Schedule = "linear"
    lr_scheduler_kwargs: dict[str, float] | None = None
    warmup_steps: Annotated[Number, Field(ge=0, allow_inf_nan=False)] = 0  # below 1: a share of all steps
    optim: Optimizer = "adamw_torch_fused"
    optim_args: Text | None = None
    weight_decay: Share = 0.0
    adam_beta1: Share = 0.9
    adam_beta2: Share = 0.999
    adam_epsilon: Above0 = 1e-8
    max_grad_norm: Above0 = 1.0
    label_smoothing_factor: Share = 0.0
    loss_type: Literal["nll", "dft"] = "nll"
    router_aux_loss_coef: Annotated[Number, Field(ge=0, le=10)] | None = None
    neftune_noise_alpha: Above0 | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 42
    data_seed: Annotated[int, Field(ge=0, lt=2**32)] | None = None
    full_determinism: bool = False
    per_device_train_batch_size: Positive = 8
    gradient_accumulation_steps: Positive = 1
    activation_checkpointing: bool = True  # TRL's default, under its name from transformers 5.23 on
    activation_checkpointing_kwargs: dict[Literal["use_reentrant"], bool] | None = None
    dataset_text_field: Text = "text"
    max_length: Positive = 1024
    packing: bool = False
    packing_strategy: Literal["bfd", "bfd_split"] = "bfd"
    pad_to_multiple_of: Positive | Literal["auto"] | None = "auto"
    shuffle_dataset: bool = False
    train_sampling_strategy: Literal["random", "sequential", "group_by_length"] = "random"
    dataloader_drop_last: bool = False
    dataloader_num_workers: Count = 0
    dataloader_prefetch_factor: Positive | None = None
    dataloader_persistent_workers: bool = False
    dataset_num_proc: Positive | None = None
    torch_empty_cache_steps: Positive | None = None
    tf32: bool | None = None
    run_name: Text | None = None


LOSS_FIELDS = ("label_smoothing_factor", "loss_type", "router_aux_loss_coef")  # off their default: TRL's own loss

_BY_DEVICE = "the device decides it; see --bits"
_BY_DATASET = "the dataset decides it: of a conversation the answers are trained, of text all of it"
_BY_EVAL = "validation is set by eval.evaluations and eval.tokens; rows are scored one at a time"
_BY_HUB = "a run pushes nothing by itself; add --push-to, or run python -m train.publish"
_BY_LAUNCHER = "set it for accelerate launch, in --config_file"
_BY_LOGGING = "every step is logged, to OUTPUT/metrics.jsonl and to --report-to"
_BY_RESUME = "checkpoints are whole and sealed; --resume continues the newest one"
_BY_SAVING = "a run saves four to eight checkpoints and keeps two; see --keep-checkpoints"
_FROM_BASE = "model, tokenizer and chat template are the base's; choose another --base"
_LOADS_CODE = "it would load code or files that are not ours"
_NOT_KEPT = "it is not supported with 8-bit layers and packed sequences"
_ONE_WAY = "the trainer relies on its default"

REFUSED: dict[str, str] = {
    name: reason
    for reason, names in {
        "give --output": "output_dir",
        "it is called activation_checkpointing now": "gradient_checkpointing",
        "it is called activation_checkpointing_kwargs now": "gradient_checkpointing_kwargs",
        _BY_DEVICE: "bf16 fp16 bf16_full_eval fp16_full_eval use_cpu dataloader_pin_memory",
        _BY_DATASET: "completion_only_loss assistant_only_loss",
        _BY_EVAL: "eval_strategy eval_steps eval_delay eval_on_start eval_packing per_device_eval_batch_size "
        "prediction_loss_only eval_do_concat_batches eval_use_gather_object eval_accumulation_steps "
        "include_for_metrics batch_eval_metrics load_best_model_at_end metric_for_best_model greater_is_better "
        "do_train do_eval do_predict",
        _BY_HUB: "push_to_hub hub_token hub_private_repo hub_model_id hub_strategy hub_always_push hub_revision "
        "trackio_space_id trackio_bucket_id trackio_static_space_id",
        _BY_LAUNCHER: "accelerator_config parallelism_config ddp_find_unused_parameters ddp_bucket_cap_mb "
        "ddp_broadcast_buffers ddp_static_graph ddp_backend ddp_timeout fsdp fsdp_config deepspeed local_rank",
        _BY_LOGGING: "logging_strategy logging_steps logging_first_step log_on_each_node logging_nan_inf_filter "
        "include_num_input_tokens_seen log_level log_level_replica disable_tqdm report_to project "
        "skip_memory_metrics debug",
        _BY_RESUME: "resume_from_checkpoint ignore_data_skip restore_callback_states_from_checkpoint",
        _BY_SAVING: "save_strategy save_steps save_only_model save_on_each_node save_total_limit enable_jit_checkpoint",
        _FROM_BASE: "model_init_kwargs trust_remote_code chat_template_path eos_token pad_token dataset_kwargs",
        _LOADS_CODE: "use_liger_kernel liger_kernel_config dataloader_multiprocessing_context",
        _NOT_KEPT: "torch_compile torch_compile_backend torch_compile_mode activation_offloading padding_free "
        "optim_target_modules",
        "packing ignores it, and TRL 2 drops it: rows are cut at their ends": "truncation_mode",
        _ONE_WAY: "average_tokens_across_devices auto_find_batch_size remove_unused_columns label_names "
        "length_column_name dataloader_in_order use_cache",
    }.items()
    for name in names.split()
}

OLD_KEYS = {  # of the flat recipes and bases of version 0.2 and before
    "batch_size": "sft.per_device_train_batch_size",
    "epochs": "sft.num_train_epochs",
    "eval_tokens": "eval.tokens",
    "evaluations": "eval.evaluations",
    "gradient_accumulation": "sft.gradient_accumulation_steps",
    "gradient_checkpointing": "sft.activation_checkpointing",
    "learning_rate": "sft.learning_rate",
    "lora_alpha": "lora.lora_alpha",
    "lora_dropout": "lora.lora_dropout",
    "lora_rank": "lora.r",
    "lora_targets": "lora.target_modules",
    "max_grad_norm": "sft.max_grad_norm",
    "max_steps": "sft.max_steps",
    "packing": "sft.packing",
    "prompts": "samples.prompts",
    "sample_temperature": "samples.temperature",
    "sample_tokens": "samples.max_new_tokens",
    "schedule": "sft.lr_scheduler_type",
    "seed": "sft.seed",
    "sequence_length": "sft.max_length",
    "text_field": "sft.dataset_text_field",
    "warmup_share": "sft.warmup_steps",
    "weight_decay": "sft.weight_decay",
}


def old_names(values: object) -> Iterator[str]:
    """Yield the keys of YAML values that had these names in version 0.2 and before, with their names of now."""
    for key in values if isinstance(values, dict) else ():
        if key in OLD_KEYS:
            yield f"{key!r} is called {OLD_KEYS[key]} now"


def refused(values: object) -> Iterator[str]:
    """Yield the fields of SFTConfig that may not be set, with the reason."""
    for key in values if isinstance(values, dict) else ():
        if key in REFUSED:
            yield f"sft.{key} cannot be set: {REFUSED[key]}"
