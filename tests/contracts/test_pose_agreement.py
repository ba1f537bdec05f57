"""Agreement of poses, on pairs whose value is plain."""

from __future__ import annotations

import pytest

from edgekit.contracts import Classes, Keypoint, Pose, Poses, ScoredLabel, agreement

BODY = (("head", 50.0, 0.0), ("hand", 20.0, 50.0), ("hip", 50.0, 50.0), ("foot", 50.0, 100.0))
"""100 pixels high: a tenth is 10."""


def pose(*moved: tuple[str, float], scores: dict[str, float] | None = None, at: float = 0.0) -> Pose:
    """``moved``: (point, pixels to the right)."""
    shifts, given = dict(moved), scores or {}
    points = [Keypoint(name, at + x + shifts.get(name, 0), y, given.get(name, 0.9)) for name, x, y in BODY]
    return Pose(tuple(points), 0.9)


def poses(*each: Pose) -> Poses:
    return Poses(each)


HIDDEN = {name: 0.1 for name, _, _ in BODY}

CASES: dict[str, tuple[Poses, Poses, object]] = {
    "the same": (poses(pose()), poses(pose()), 1.0),
    "nobody twice": (poses(), poses(), 1.0),
    "somebody in one": (poses(), poses(pose()), 0.0),
    "somebody in the other": (poses(pose()), poses(), 0.0),
    "within a tenth": (poses(pose(("hand", 10))), poses(pose()), 1.0),
    "beyond a tenth": (poses(pose(("hand", 10.5))), poses(pose()), 0.75),
    "half of them": (poses(pose(("hand", -30), ("foot", 40))), poses(pose()), 0.5),
    "hidden in both, anywhere": (
        poses(pose(("hand", 80), scores={"hand": 0.1})),
        poses(pose(scores={"hand": 0.2})),
        1.0,
    ),
    "a score on the threshold": (poses(pose(scores={"hand": 0.45})), poses(pose(scores={"hand": 0.55})), 1.0),
    "seen where it is hidden": (poses(pose(scores={"hand": 0.9})), poses(pose(scores={"hand": 0.1})), 0.75),
    "hidden where it is seen": (poses(pose(scores={"hand": 0.1})), poses(pose(scores={"hand": 0.9})), 0.75),
    "none seen in either": (poses(pose(scores=HIDDEN)), poses(pose(at=500, scores=HIDDEN)), 1.0),
    "none seen any more": (poses(pose(scores=HIDDEN)), poses(pose()), 0.0),
    "two people in another order": (poses(pose(at=300), pose()), poses(pose(), pose(at=300)), 1.0),
    "one of two": (poses(pose()), poses(pose(), pose(at=300)), pytest.approx(2 / 3)),
    "one twice": (poses(pose(), pose()), poses(pose()), pytest.approx(2 / 3)),
    "without points": (poses(Pose((), 0.9)), poses(pose()), 0.0),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_agreement(case: str) -> None:
    found, expected, value = CASES[case]
    assert agreement(found, expected) == value


def test_the_size_is_that_of_what_is_seen() -> None:
    """A bust: its tenth is 5 pixels, where the whole body's was 10."""
    bust = {"foot": 0.1}
    assert agreement(poses(pose(("hand", 6), scores=bust)), poses(pose(scores=bust))) == pytest.approx(2 / 3)


def test_one_seen_point_is_measured_by_the_guessed_body() -> None:
    only = {"hand": 0.1, "hip": 0.1, "foot": 0.1}
    assert agreement(poses(pose(("head", 9), scores=only)), poses(pose(scores=only))) == 1.0
    assert agreement(poses(pose(("head", 11), scores=only)), poses(pose(scores=only))) == 0.0


def test_a_pose_is_no_class() -> None:
    with pytest.raises(TypeError, match="Poses and Classes"):
        agreement(poses(), Classes((ScoredLabel(0, "a", 1.0),)))
