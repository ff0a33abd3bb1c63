"""Posing: local rotations and aims to one rigid motion per bone, and linear blend skinning. Not which pose to take."""

from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import csr_matrix

from isp_assets.walkers.generate.arrays import Floats
from isp_assets.walkers.generate.body import Body
from isp_assets.walkers.generate.geometry import arc


@dataclass(frozen=True)
class Aim:
    """Turn a bone so that the line from its head to `tip`'s head points along `direction`; or a share of that turn."""

    tip: str
    direction: Floats
    share: float = 1.0


@dataclass
class Pose:
    """Local rotations per bone in the axes of the rest pose, and aims applied after them, from the root outwards."""

    turns: dict[str, Floats] = field(default_factory=dict)
    aims: dict[str, Aim] = field(default_factory=dict)

    def turn(self, bone: str, rotation: Floats) -> None:
        """Add a rotation on top of what the bone already does."""
        self.turns[bone] = self.turns.get(bone, np.eye(3)) @ rotation


def bone_motions(body: Body, pose: Pose) -> Floats:
    """(B, 3, 4) the motion of each bone: a rest point p goes to M[:, :3] p + M[:, 3]; heads stay on their parents."""
    skeleton = body.skeleton
    motions = np.empty((len(skeleton.names), 3, 4))
    for i, name in enumerate(skeleton.names):
        parent = skeleton.parents[i]
        above = motions[parent] if parent >= 0 else np.eye(3, 4)
        turn = above[:, :3] @ pose.turns[name] if name in pose.turns else above[:, :3]
        aim = pose.aims.get(name)
        if aim is not None:
            rest = body.heads[skeleton.index(aim.tip)] - body.heads[i]
            turn = arc(turn @ rest, aim.direction, aim.share) @ turn
        head = above[:, :3] @ body.heads[i] + above[:, 3]
        motions[i, :, :3] = turn
        motions[i, :, 3] = head - turn @ body.heads[i]
    return motions


def skin(vertices: Floats, weights: csr_matrix, motions: Floats) -> Floats:
    """Linear blend skinning: (V, 3) rest vertices, (V, B) weights, (B, 3, 4) motions -> (V, 3)."""
    blended = np.asarray(weights @ motions.reshape(len(motions), 12)).reshape(-1, 3, 4)
    posed: Floats = np.einsum("vij,vj->vi", blended[:, :, :3], vertices) + blended[:, :, 3]
    return posed
