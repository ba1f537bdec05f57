"""Room for one: the newest wins, or each waits its turn; nobody waits for ever."""

from __future__ import annotations

import threading
import time

import pytest

from edgekit.camera.slot import Slot


def test_the_newest_takes_the_place_of_what_nobody_took() -> None:
    slot: Slot[int] = Slot(newest_wins=True)
    assert all(slot.put(number) for number in range(5))
    slot.end()
    assert slot.take() == 4
    assert slot.take() is None
    assert slot.replaced == 4


def test_in_order_nothing_is_lost() -> None:
    slot: Slot[int] = Slot(newest_wins=False)

    def send() -> None:
        for number in range(200):
            slot.put(number)
        slot.end()

    sender = threading.Thread(target=send)
    sender.start()
    assert list(iter(slot.take, None)) == list(range(200))
    sender.join()
    assert slot.replaced == 0


@pytest.mark.parametrize("waiting", ["put", "take"])
def test_stop_frees_who_waits(waiting: str) -> None:
    slot: Slot[int] = Slot(newest_wins=False)
    if waiting == "put":
        slot.put(0)
    threading.Timer(0.05, slot.stop).start()
    started = time.perf_counter()
    assert not (slot.put(1) if waiting == "put" else slot.take())
    assert time.perf_counter() - started < 10


def test_patience_ends() -> None:
    slot: Slot[int] = Slot(newest_wins=True)
    with pytest.raises(TimeoutError):
        slot.take(0.2)
