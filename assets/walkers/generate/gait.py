"""How people walk and stand: joint angles from the phase of a step, and what the arms do meanwhile.

Phase 0 is the left heel's strike, 0.5 the right one's. Angles are degrees here, radians in the pose.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from isp_assets.walkers.generate.arrays import Floats
from isp_assets.walkers.generate.body import Body
from isp_assets.walkers.generate.geometry import X, Y, Z, rotation, two_bones
from isp_assets.walkers.generate.pose import Aim, Pose

Arm = Literal["swing", "hold", "pull", "carry", "phone", "pocket", "strap"]

# Where a hand rests, relative to its shoulder, for an arm 5.6 dm long: outward, up, ahead.
_REACH: dict[Arm, tuple[float, float, float]] = {
    "strap": (-0.95, -1.35, 1.55),
    "phone": (-1.0, -0.6, 3.0),
    "pocket": (0.25, -4.85, 0.6),
    "carry": (-0.35, -2.9, 3.3),
}
_CURL: dict[Arm, float] = {
    "swing": 0.35,
    "hold": 1.2,
    "pull": 1.2,
    "strap": 1.1,
    "carry": 0.5,
    "phone": 0.8,
    "pocket": 0.3,
}


@dataclass(frozen=True)
class Step:
    """A moment of a walk (stride 0.75 .. 1.1) or of standing (stride near 0)."""

    phase: float
    stride: float
    swing: float
    arms: tuple[Arm, Arm]  # left, right
    look: tuple[float, float]  # radians the head turns to its left and bows
    bow: float  # radians the back bends forward


def bump(phase: float, centre: float, width: float) -> float:
    """A bell of height 1 at `centre`, on the circle of phases."""
    distance = (phase - centre + 0.5) % 1 - 0.5
    return float(np.exp(-((distance / width) ** 2)))


def leg_angles(phase: float, stride: float) -> tuple[float, float, float, float]:
    """Degrees of hip flexion, knee flexion, ankle dorsiflexion and toe bend of one leg."""
    hip = 8 + 23 * stride * float(np.cos(2 * np.pi * phase))
    knee = 5 + stride * (14 * bump(phase, 0.14, 0.08) + 56 * bump(phase, 0.73, 0.115))
    ankle = stride * (9 * bump(phase, 0.42, 0.12) - 5 * bump(phase, 0.07, 0.05) - 17 * bump(phase, 0.63, 0.07))
    toe = 22 * stride * bump(phase, 0.56, 0.07)
    return hip, knee, ankle, toe


def _legs(pose: Pose, step: Step) -> None:
    for side, sign, phase in (("L", 1, step.phase), ("R", -1, step.phase + 0.5)):
        hip, knee, ankle, toe = np.radians(leg_angles(phase % 1, step.stride))
        # people stand apart-legged in the rest pose: bring the feet under the hips
        pose.turn(f"upperleg01.{side}", rotation(X, -hip) @ rotation(Z, -sign * np.radians(5.5)))
        pose.turn(f"lowerleg01.{side}", rotation(X, knee))
        pose.turn(f"foot.{side}", rotation(X, -ankle) @ rotation(Z, sign * np.radians(4.5)))
        for digit in range(1, 6):
            pose.turn(f"toe{digit}-1.{side}", rotation(X, -toe))


def _trunk(pose: Pose, step: Step) -> None:
    yaw = np.radians(5 * step.stride) * np.cos(2 * np.pi * step.phase)
    pose.turn("root", rotation(Y, -yaw) @ rotation(X, np.radians(2)))
    pose.turn("spine05", rotation(Y, yaw * 0.8))
    pose.turn("spine04", rotation(X, step.bow))
    pose.turn("spine03", rotation(Y, yaw * 0.9))
    pose.turn("spine02", rotation(Y, yaw * 0.5) @ rotation(X, np.radians(1.5)))
    pose.turn("neck01", rotation(Y, -yaw * 0.9))
    pose.turn("head", rotation(Y, step.look[0]) @ rotation(X, step.look[1]))


def _arm_directions(body: Body, arm: Arm, side: str, swing: float, bulk: float) -> tuple[Floats, Floats]:
    """Where the upper and the lower arm point; `bulk` keeps arms clear of wide bodies, coats and bags."""
    sign = 1 if side == "L" else -1
    if arm in _REACH:
        shoulder, elbow, wrist = (body.head(f"{bone}.{side}") for bone in ("upperarm01", "lowerarm01", "wrist"))
        upper, lower = float(np.linalg.norm(elbow - shoulder)), float(np.linalg.norm(wrist - elbow))
        target = np.array(_REACH[arm]) * (upper + lower) / 5.6
        target[0] = sign * (target[0] + (bulk * 0.6 if arm == "pocket" else 0))
        return two_bones(upper, lower, target, np.array([sign * (0.45 if arm == "carry" else 0.9), -0.6, -0.9]))
    out = np.radians(8 + bulk * 12 + (5 if arm == "hold" else 2 if arm == "pull" else 0))
    raised = {"hold": swing * 0.25, "pull": np.radians(-28)}.get(arm, swing - 0.03)
    bend = {"hold": np.radians(12), "pull": np.radians(8)}.get(arm, np.radians(16) + max(0.0, swing) * 0.7)
    upper_way = np.array([sign * np.sin(out), -np.cos(out) * np.cos(raised), np.sin(raised) * np.cos(out)])
    lower_way = np.array([sign * (np.sin(out) * 0.5 + 0.02), -np.cos(raised + bend), np.sin(raised + bend)])
    return upper_way, lower_way


def _curl_fingers(body: Body, pose: Pose, side: str, curl: float) -> None:
    """Bend the fingers about the line of the knuckles, the little finger most, as a hand at rest does."""
    axis = body.head(f"finger2-1.{side}") - body.head(f"finger5-1.{side}")
    sign = -1 if side == "L" else 1
    for digit, more in (("2", 0.85), ("3", 1.0), ("4", 1.1), ("5", 1.2)):
        for joint, share in (("1", 1.0), ("2", 1.1), ("3", 0.7)):
            pose.turn(f"finger{digit}-{joint}.{side}", rotation(axis, sign * curl * share * more * 0.75))


def walking(body: Body, step: Step, bulk: tuple[float, float]) -> Pose:
    """The pose of a step. `bulk` keeps the left and the right arm clear of wide bodies, coats and bags."""
    pose = Pose()
    _legs(pose, step)
    _trunk(pose, step)
    swing = np.radians(20 * step.stride * step.swing) * np.cos(2 * np.pi * step.phase)
    for side, sign, arm, ahead, room in (
        ("L", 1, step.arms[0], -swing, bulk[0]),
        ("R", -1, step.arms[1], swing, bulk[1]),
    ):
        upper, lower = _arm_directions(body, arm, side, float(ahead), room)
        # clavicle and shoulder take a share of the turn, or the shoulder would collapse
        pose.aims[f"clavicle.{side}"] = Aim(f"upperarm01.{side}", np.array([sign, -0.06, -0.05]), 0.35)
        pose.aims[f"shoulder01.{side}"] = Aim(f"lowerarm01.{side}", upper, 0.3)
        pose.aims[f"upperarm01.{side}"] = Aim(f"lowerarm01.{side}", upper)
        pose.aims[f"lowerarm01.{side}"] = Aim(f"wrist.{side}", lower)
        _curl_fingers(body, pose, side, _CURL[arm])
    return pose
