"""Batching: how the sequences of an optimizer step are shared by processes and forward passes.

A step has `per_device_train_batch_size × gradient_accumulation_steps` sequences of the recipe, however many processes
there are; to share them in another way only changes the order of the sums.
"""

from dataclasses import dataclass

from friends_corpus.core.cli import InputError
from train.settings.base_preset import BITS
from train.settings.sft_fields import SftSettings


@dataclass(frozen=True)
class Step:
    """One optimizer step. `batch_size` and `gradient_accumulation` are of each process."""

    processes: int
    batch_size: int  # sequences in a forward pass
    gradient_accumulation: int  # batches before the weights change
    gradient_checkpointing: bool

    @property
    def sequences(self) -> int:
        """Return the sequences of all processes together."""
        return self.processes * self.batch_size * self.gradient_accumulation


def share_out(sft: SftSettings, processes: int, batch_size: int | None = None, checkpointing: bool = False) -> Step:
    """Share the sequences of a step among processes. Raises InputError if they do not divide.

    `batch_size` is that of a forward pass, by default as large as the recipe's or smaller.

    >>> sft = SftSettings(per_device_train_batch_size=4, gradient_accumulation_steps=2)
    >>> share_out(sft, processes=4)
    Step(processes=4, batch_size=2, gradient_accumulation=1, gradient_checkpointing=True)
    """
    sequences = sft.per_device_train_batch_size * sft.gradient_accumulation_steps
    if sequences % processes:
        counts = ", ".join(map(str, divisors(sequences)))
        raise InputError(
            f"{processes} processes cannot share the {sequences} sequences of a step evenly "
            f"(per_device_train_batch_size × gradient_accumulation_steps); --num_processes is one of {counts}, or add "
            f"--set sft.gradient_accumulation_steps={processes}"
        )
    each = sequences // processes
    if batch_size is not None and batch_size not in divisors(each):
        raise InputError(
            f"--batch-size {batch_size} does not divide the {each} sequences of a process in a step; it is one of "
            f"{', '.join(map(str, divisors(each)))}"
        )
    at_once = batch_size or max(count for count in divisors(each) if count <= sft.per_device_train_batch_size)
    return Step(processes, at_once, each // at_once, checkpointing or sft.activation_checkpointing)


def divisors(number: int) -> list[int]:
    """Return all divisors, the smallest first.

    >>> divisors(12)
    [1, 2, 3, 4, 6, 12]
    """
    return [count for count in range(1, number + 1) if number % count == 0]


def lighter(step: Step, sft: SftSettings, bits: int) -> str:
    """Suggest options that need less memory and, if possible, leave the training unchanged.

    >>> sft = SftSettings(per_device_train_batch_size=4, gradient_accumulation_steps=2)
    >>> lighter(share_out(sft, 1), sft, 8)
    'try --batch-size 2 (still 8 sequences per step); add --resume to continue'
    """
    saved = "; add --resume to continue"
    each = divisors(step.batch_size * step.gradient_accumulation)
    if step.batch_size > 1:
        half = max(count for count in each if count <= step.batch_size // 2)
        return f"try --batch-size {half} (still {step.sequences} sequences per step){saved}"
    if not step.gradient_checkpointing:
        return f"try --gradient-checkpointing (the same result, for a second forward){saved}"
    halved = f"try --set sft.max_length={sft.max_length // 2} instead of {sft.max_length}"
    less = [fewer for fewer in BITS if fewer < bits]
    return f"{halved}, or --bits {less[-1]}" if less else f"{halved}, or a larger device"
