"""In the order of the beginning, one at a time; room, errors and the end."""

from __future__ import annotations

import random
import threading
import time
from functools import partial

import pytest

from edgekit.camera.order import Order
from tests.camera.scripted import PATIENCE_S


def everything(order: Order[int]) -> list[int]:
    return list(iter(lambda: order.take(PATIENCE_S), None))


def test_every_order_of_putting_comes_out_in_order() -> None:
    for seed in range(20):
        order: Order[int] = Order(newest_wins=False, room=100)
        for number in random.Random(seed).sample(range(9), 9):
            order.put(number, partial(int, number))
        order.end()
        assert everything(order) == list(range(9))
        assert order.left_out == 0


def test_who_puts_while_another_finishes_does_not_wait_for_it() -> None:
    order: Order[int] = Order(newest_wins=False, room=100)
    begun, go_on = threading.Event(), threading.Event()

    def slowly() -> int:
        begun.set()
        assert go_on.wait(PATIENCE_S)
        return 0

    first = threading.Thread(target=order.put, args=(0, slowly))
    first.start()
    assert begun.wait(PATIENCE_S)
    order.put(1, lambda: 1)  # comes back although 0 is not finished
    with pytest.raises(TimeoutError):
        order.take(0.2)
    go_on.set()
    first.join()
    order.end()
    assert everything(order) == [0, 1]


def test_of_the_newest_what_was_overtaken_or_not_taken_is_left_out() -> None:
    order: Order[int] = Order(newest_wins=True, room=1)
    finished: list[int] = []

    def finish(number: int) -> int:
        finished.append(number)
        return number

    for number in (1, 0, 4, 2, 3, 7):
        order.put(number, partial(finish, number))
    order.end()
    assert finished == [1, 4, 7]
    assert everything(order) == [7]
    assert order.left_out == 5


def test_room_is_waited_for_until_something_was_taken() -> None:
    order: Order[int] = Order(newest_wins=False, room=2)
    assert order.has_room()
    assert order.has_room()
    order.put(0, lambda: 0)
    started = time.perf_counter()
    threading.Timer(0.2, order.take, (PATIENCE_S,)).start()
    assert order.has_room()
    assert time.perf_counter() - started >= 0.15
    threading.Timer(0.1, order.stop).start()
    assert not order.has_room()


def test_an_error_comes_after_what_was_before_it_and_nothing_after_it() -> None:
    order: Order[int] = Order(newest_wins=False, room=100)
    order.put(2, lambda: 2)
    order.fail(1, ValueError("one"))
    order.put(0, lambda: 0)
    assert order.take(PATIENCE_S) == 0
    with pytest.raises(ValueError, match="one"):
        order.take(PATIENCE_S)
    assert not order.has_room()
