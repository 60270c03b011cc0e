"""What looks on while a run trains: progress, the live metrics file, the guard against NaN, the answer to SIGTERM."""

import math
import sys
import time
from pathlib import Path
from typing import Any

from tqdm import tqdm
from transformers.trainer_callback import TrainerCallback

from train.models.upstream import set_read_tokens
from train.runtime.distributed import most
from train.runtime.signals import Stop

from .metrics import metrics_line

QUARTERS = 4  # checkpoints in a run of four or more steps, and twice as many at most
SKIPPED_STEPS = 25  # fp16 starts with a scale too large and skips steps until it fits; so many in a row are an error


class NotFinite(Exception):
    """The loss or the gradient is NaN or infinite; the message says when, and on which rows."""


class Watch(TrainerCallback):
    """Saves often enough, stops when asked or when numbers break, and writes every logged number to OUT/running.jsonl.

    `trainer` is set once there is one.
    """

    def __init__(self, stop: Stop, live: Path, evaluations: int) -> None:
        self.stop = stop
        self.live = live
        self.evaluations = evaluations
        self.trainer: Any = None
        self._skipped = 0

    def where(self) -> str:
        """Say where in the run it is, for the end of a sentence."""
        if self.trainer is None or not self.trainer.state.max_steps:
            return "before the first step"
        done, last = self.trainer.state.global_step, self.trainer.state.max_steps
        return f"at step {done + 1} of {last}" if done < last else f"after {done} steps"

    def on_train_begin(self, args: Any, state: Any, control: Any, **unused: Any) -> None:
        """Set the schedule once the number of steps is known, and restore the counts of a resumed run."""
        state.save_steps = max(1, state.max_steps // QUARTERS)
        state.eval_steps = max(1, state.max_steps // self.evaluations) if self.evaluations else state.max_steps + 1
        logged = [entry for entry in state.log_history if "num_tokens" in entry]
        if logged:  # TRL counts from 0 again
            set_read_tokens(self.trainer, logged[-1]["num_tokens"])
            self.trainer.trained_tokens = logged[-1]["trained_tokens"]
        if state.is_world_process_zero:
            with self.live.open("w", encoding="utf-8") as out:
                out.writelines(metrics_line(entry) for entry in state.log_history if "samples" not in entry)
        self.stop.training = True

    def on_step_end(self, args: Any, state: Any, control: Any, **unused: Any) -> Any:
        """Ends training after a checkpoint if SIGTERM came, on all ranks at the same step."""
        self.stop.asked = bool(most(self.stop.asked))
        if self.stop.asked:
            control.should_save = control.should_training_stop = True
        return control

    def on_epoch_end(self, args: Any, state: Any, control: Any, **unused: Any) -> Any:
        """Do nothing: what was due was done after the epoch's last step."""
        control.should_evaluate = control.should_save = False
        return control

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **unused: Any) -> None:
        """Refuse NaN and infinity before they can be saved; record everything else."""
        logs = logs or {}
        names = {"loss": "the loss", "grad_norm": "the gradient's norm", "eval_loss": "the held-out loss"}
        bad = {key for key in names if not math.isfinite(logs.get(key, 0.0))}
        self._skipped = self._skipped + 1 if "grad_norm" in bad and "loss" in logs else 0
        if bad and not (bad == {"grad_norm"} and args.fp16 and self._skipped < SKIPPED_STEPS):
            values = ", ".join(f"{name} is {logs[key]}" for key, name in names.items() if key in logs)
            raise NotFinite(f"at step {state.global_step} {values}; {self.trainer.last_rows()}")
        if state.log_history and logs and state.is_world_process_zero:
            with self.live.open("a", encoding="utf-8") as out:
                out.write(metrics_line(state.log_history[-1]))

    def on_train_end(self, args: Any, state: Any, control: Any, **unused: Any) -> None:
        """From here on SIGTERM has no step to wait for."""
        self.stop.training = False


class Clock(TrainerCallback):
    """When each step ended, in seconds."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **unused: Any) -> None:
        """One more."""
        self.ends.append(time.monotonic())


class Progress(TrainerCallback):
    """Loss, tokens/s and time left: a bar on a terminal, about ten lines elsewhere."""

    def __init__(self) -> None:
        self.tokens = 0  # of the whole run
        self.speed = 0.0  # tokens a second, in this process, while steps run: evaluations and saving apart
        self._bar: tqdm[Any]
        self._start = self._step_start = self._in_steps = 0.0
        self._first_step = self._first_tokens = 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **unused: Any) -> None:
        """Starts the clock, and the bar if anyone can see it move."""
        self._start = time.monotonic()
        self._first_step = state.global_step
        self._first_tokens = max((int(entry.get("num_tokens", 0)) for entry in state.log_history), default=0)
        self._bar = tqdm(
            total=state.max_steps,
            initial=state.global_step,
            desc="training",
            unit="step",
            dynamic_ncols=True,
            disable=None,  # only where stderr is no terminal
        )

    def on_step_begin(self, args: Any, state: Any, control: Any, **unused: Any) -> None:
        """Start the clock of a step."""
        self._step_start = time.monotonic()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **unused: Any) -> None:
        """Shows the loss of a step (mean nats per token)."""
        if not logs or "loss" not in logs:
            return
        self.tokens = int(logs["num_tokens"])
        now = time.monotonic()
        self._in_steps += now - self._step_start
        step, last = state.global_step, state.max_steps
        self.speed = (self.tokens - self._first_tokens) / self._in_steps
        rate = f"loss {logs['loss']:.3f}  {self.speed:.0f} tokens/s"
        self._bar.set_postfix_str(rate, refresh=False)
        self._bar.update(step - self._bar.n)
        if self._bar.disable and (step == last or step % max(1, last // 10) == 0 or step == 1):
            left = (now - self._start) / (step - self._first_step) * (last - step)
            print(f"training  step {step}/{last}  {rate}  {left:.0f} s left", file=sys.stderr, flush=True)

    def on_train_end(self, args: Any, state: Any, control: Any, **unused: Any) -> None:
        """Leaves the finished bar on the screen."""
        self._bar.close()
