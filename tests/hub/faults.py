"""Faults to order: which request gets which, counted under a lock."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from typing import Literal

Action = Literal["status", "reset", "truncate", "hang", "lost"]


@dataclass
class Fault:
    """One order: requests whose "METHOD /path" matches `pattern`, the first `skip` of them spared, then `times` hit.

    status    the body is read, nothing is done, `status` with `headers` is the reply; with `after` all is done first
    reset     the connection is reset before the body is read, nothing is done
    truncate  all is done, half of the reply's body is sent, then the connection ends
    hang      nothing is done and no reply comes until the client leaves or `clear` is called
    lost      all is done, then the connection is reset instead of the reply
    """

    pattern: re.Pattern[str]
    action: Action
    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)
    times: int = 1
    skip: int = 0
    after: bool = False
    over: threading.Event = field(default_factory=threading.Event)


class Faults:
    """The orders not yet used up, oldest first.

    >>> faults = Faults()
    >>> faults.add(Fault(re.compile("POST .*/commit/"), "reset", times=1, skip=1))
    >>> [fault and fault.action for fault in (faults.take("POST /api/x/commit/main") for _ in range(3))]
    [None, 'reset', None]
    """

    def __init__(self) -> None:
        self._orders: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._orders.append(fault)

    def take(self, request: str) -> Fault | None:
        """The fault that hits this request; every order that matches it counts it as seen."""
        hit = None
        with self._lock:
            for fault in self._orders:
                meant = fault.pattern.search(request)
                if not meant:
                    continue
                if fault.skip:
                    fault.skip -= 1
                elif fault.times and hit is None:
                    fault.times -= 1
                    hit = fault
        return hit

    def left(self) -> int:
        """How often faults would still strike."""
        with self._lock:
            return sum(fault.times for fault in self._orders)

    def clear(self) -> None:
        """Forgets all orders and lets hanging requests go."""
        with self._lock:
            for fault in self._orders:
                fault.over.set()
            self._orders.clear()
