"""Room for one: the newest wins, and nobody waits for ever."""

from __future__ import annotations

import threading
import time

from edgekit.camera.slot import Slot


def test_the_newest_takes_the_place_of_what_nobody_took() -> None:
    slot: Slot[int] = Slot()
    assert not slot.holds
    assert all(slot.put(number) for number in range(5))
    assert slot.holds
    slot.end()
    assert slot.take() == 4
    assert slot.take() is None
    assert slot.replaced == 4


def test_each_item_is_taken_once() -> None:
    slot: Slot[int] = Slot()
    taken: list[int] = []
    takers = [threading.Thread(target=lambda: taken.extend(iter(slot.take, None))) for _ in range(3)]
    for taker in takers:
        taker.start()
    for number in range(2000):
        slot.put(number)
    slot.end()
    for taker in takers:
        taker.join()
    assert len(set(taken)) == len(taken) == 2000 - slot.replaced
    assert 1999 in taken


def test_stop_frees_who_waits() -> None:
    slot: Slot[int] = Slot()
    threading.Timer(0.05, slot.stop).start()
    started = time.perf_counter()
    assert slot.take() is None
    assert not slot.put(1)
    assert time.perf_counter() - started < 10
