"""Training itself, and the held-out loss before and after it. Heavy: imported inside `main()` only."""

from pathlib import Path
from typing import Any

from friends_corpus.core.cli import Failed
from train.runtime.signals import Stop, Terminated

from .callbacks import NotFinite
from .trainer import NotSaved, held_out_loss


def train(trainer: Any, checkpoint: Path | None, learning_rate: float, stop: Stop) -> None:
    """Train all steps, from `checkpoint` on if there is one. Raises Failed, Terminated."""
    try:
        trainer.train(resume_from_checkpoint=checkpoint and str(checkpoint))
    except NotFinite as error:
        raise Failed(f"{error}. Nothing of that step was saved; try --learning-rate {learning_rate / 4:g}") from None
    except NotSaved as error:
        raise Failed(f"{error}. Free some space and add --resume: earlier checkpoints are whole", own=True) from None
    finally:
        stop.training = False
    if stop.asked:
        raise Terminated


def score(when: str, trainer: Any) -> tuple[float, int] | None:
    """Print and return the held-out loss `when` ("before" or "after") and its tokens; None if nothing is held out."""
    if trainer.eval_dataset is None:
        if when == "before":
            print("held out  nothing: no validation split", flush=True)
        return None
    last = trainer.state.log_history[-2:-1]
    if when == "after" and last and last[0].get("step") == trainer.state.global_step and "eval_loss" in last[0]:
        loss, tokens = last[0]["eval_loss"], last[0]["eval_tokens"]  # the last step was evaluated already
    else:
        loss, tokens = held_out_loss(trainer)
    print(f"held out  loss {loss:.3f} {when} training, over {tokens:,} tokens", flush=True)
    return loss, tokens
