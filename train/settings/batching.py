"""Batching: how the sequences of an optimizer step are shared by processes and forward passes.

The base says how many windows a step has (`batch_size × gradient_accumulation`). That is what is learnt from, and it
stays; how they are shared out is a matter of room and time: the sums come in another order, and that is all.
"""

from dataclasses import dataclass

from friends_corpus.core.cli import InputError
from train.settings.base_preset import BITS, Base


@dataclass(frozen=True)
class Step:
    """One optimizer step. `batch_size` and `gradient_accumulation` are of each process."""

    processes: int
    batch_size: int  # sequences at once
    gradient_accumulation: int  # batches before the weights change
    gradient_checkpointing: bool

    @property
    def windows(self) -> int:
        """Of all processes together."""
        return self.processes * self.batch_size * self.gradient_accumulation


def share_out(base: Base, processes: int, batch_size: int | None = None, checkpointing: bool = False) -> Step:
    """Share the sequences of a step among processes. Raises InputError if they do not divide.

    Without a wish as many at once as the base says, or fewer.

    >>> base = Base("some/model", None, None, 8, 1024, 4, gradient_accumulation=2, gradient_checkpointing=True)
    >>> share_out(base, processes=4)
    Step(processes=4, batch_size=2, gradient_accumulation=1, gradient_checkpointing=True)
    """
    windows = base.batch_size * base.gradient_accumulation
    if windows % processes:
        counts = ", ".join(map(str, divisors(windows)))
        raise InputError(
            f"{processes} processes cannot share the sequences of a step evenly: {base.model} has {windows} "
            f"(batch_size × gradient_accumulation); --num_processes is one of {counts}, or give a base YAML with "
            f"gradient_accumulation: {processes}"
        )
    each = windows // processes
    if batch_size is not None and batch_size not in divisors(each):
        raise InputError(
            f"--batch-size {batch_size} does not divide the {each} sequences of a process in a step; it is one of "
            f"{', '.join(map(str, divisors(each)))}"
        )
    at_once = batch_size or max(count for count in divisors(each) if count <= base.batch_size)
    return Step(processes, at_once, each // at_once, checkpointing or base.gradient_checkpointing)


def divisors(number: int) -> list[int]:
    """Return all divisors, the smallest first.

    >>> divisors(12)
    [1, 2, 3, 4, 6, 12]
    """
    return [count for count in range(1, number + 1) if number % count == 0]


def lighter(step: Step, base: Base) -> str:
    """Suggest options that need less memory and, if possible, leave the training unchanged.

    >>> base = Base("some/model", None, None, 8, 1024, 4, gradient_accumulation=2, gradient_checkpointing=True)
    >>> lighter(share_out(base, 1), base)
    'try --batch-size 2 (still 8 sequences per step); add --resume to continue'
    """
    saved = "; add --resume to continue"
    each = divisors(step.batch_size * step.gradient_accumulation)
    if step.batch_size > 1:
        half = max(count for count in each if count <= step.batch_size // 2)
        return f"try --batch-size {half} (still {step.windows} sequences per step){saved}"
    if not step.gradient_checkpointing:
        return f"try --gradient-checkpointing (the same result, for a second forward){saved}"
    halved = f"try a base YAML with sequence_length: {base.sequence_length // 2} instead of {base.sequence_length}"
    less = [bits for bits in BITS if bits < base.bits]
    return f"{halved}, or --bits {less[-1]}" if less else f"{halved}, or a larger device"
