"""Rotations, limbs, boxes, cameras, rasteriser: exact cases by hand and slow truths for fast paths."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("numba")
from isp_assets.walkers.generate import furniture
from isp_assets.walkers.generate.camera import Box, Camera
from isp_assets.walkers.generate.gait import bump, leg_angles
from isp_assets.walkers.generate.geometry import (
    arc,
    plane_cut,
    ribbon,
    rotation,
    rounded_box,
    two_bones,
    vertex_normals,
)
from isp_assets.walkers.generate.mesh import Material
from isp_assets.walkers.generate.noise import cells, fractal
from isp_assets.walkers.generate.picture import majority
from isp_assets.walkers.generate.rasteriser import SunMap, rasterise

number = st.floats(-3, 3, allow_nan=False)
vector = st.tuples(number, number, number).map(np.array).filter(lambda v: np.linalg.norm(v) > 0.1)


@given(vector, vector)
def test_arc_turns_the_first_direction_into_the_second(start: np.ndarray, end: np.ndarray) -> None:
    if np.linalg.norm(np.cross(start, end)) < 1e-3:
        return
    turned = arc(start, end) @ start / np.linalg.norm(start)
    assert np.allclose(turned, end / np.linalg.norm(end), atol=1e-6)


@given(vector, vector)
def test_two_bones_reach_what_is_in_reach(target: np.ndarray, pole: np.ndarray) -> None:
    if np.linalg.norm(np.cross(target, pole)) < 1e-2:
        return
    upper, lower = two_bones(3.0, 2.5, target, pole)
    assert np.allclose([np.linalg.norm(upper), np.linalg.norm(lower)], 1)
    hand = upper * 3.0 + lower * 2.5
    distance = np.linalg.norm(target)
    if 0.6 < distance < 5.4:
        assert np.allclose(hand, target, atol=1e-6)
    assert (upper * 3.0 - hand / np.linalg.norm(hand) * 1e-9) @ (pole - (pole @ target) / distance**2 * target) > -1e-6


def test_an_arm_at_a_right_angle() -> None:
    upper, lower = two_bones(3.0, 4.0, np.array([5.0, 0, 0]), np.array([0, -1.0, 0]))
    assert np.allclose(upper * 3, [1.8, -2.4, 0])
    assert np.allclose(lower * 4, [3.2, 2.4, 0])


def test_rotation_is_right_handed() -> None:
    assert np.allclose(rotation(np.array([0.0, 2, 0]), np.pi / 2) @ [0, 0, 1], [1, 0, 0])


@pytest.mark.parametrize("roundness", [0.05, 0.5, 1.0])
def test_rounded_box_fills_its_size_and_is_closed(roundness: float) -> None:
    vertices, faces = rounded_box(2, 4, 6, roundness)
    assert np.allclose(np.ptp(vertices, axis=0), [2, 4, 6])
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    _, count = np.unique(edges, axis=0, return_counts=True)
    assert (count == 2).all()
    outward = (vertex_normals(vertices, faces) * vertices).sum(axis=1)
    assert (outward > 0).mean() > 0.99


def test_ribbon_is_as_wide_and_thick_as_asked() -> None:
    path = np.stack([np.zeros(5), np.arange(5.0), np.zeros(5)], axis=1)
    vertices, _ = ribbon(path, np.tile([1.0, 0, 0], (5, 1)), 0.4, 0.1)
    assert np.allclose(np.ptp(vertices, axis=0), [0.4, 4, 0.1])


def test_plane_cut_of_a_tetrahedron() -> None:
    points = np.array([[0, 0, 0], [2, 0, 0], [0, 2, 0], [0, 0, 2]], float)
    faces = np.array([[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]])
    cut = plane_cut(points, faces, np.array([0, 0, 1.0]), np.array([0, 0, 1.0]))
    assert cut.tolist() == [[0, 0, 1], [0, 1, 1], [1, 0, 1]]


def test_camera_projects_by_hand() -> None:
    camera = Camera((0, 1, -5), (0, 1, 0))
    u, v, depth = camera.project(np.array([[-1.0, 2.0, 0.0]]))
    # looking along +z with y up, the world's -x is to the right
    assert np.allclose([u[0], v[0], depth[0]], [0.2, -0.2, 5.0])


@given(vector)
def test_rays_lead_back_to_points(point: np.ndarray) -> None:
    camera = Camera((1, 3, -9), (0, 1, 0))
    u, v, depth = camera.project(point[None])
    assert np.allclose(np.array(camera.position) + camera.rays(u, v) * depth[:, None], point, atol=1e-9)


def test_box_keeps_its_centre_and_its_grid_its_edges() -> None:
    box = Box(0, 0, 2, 4).resized(1, 1).shifted(0.5, 0)
    assert (box.left, box.top, box.right, box.bottom) == (1.0, 1.5, 2.0, 2.5)
    u, v = Box(0, 0, 2, 4).grid(2, 4)
    assert u[0].tolist() == [0.5, 1.5]
    assert v[:, 0].tolist() == [0.5, 1.5, 2.5, 3.5]


def test_rasteriser_agrees_with_a_slow_truth() -> None:
    rng = np.random.default_rng(0)
    x, y, z = rng.uniform(-4, 24, 30), rng.uniform(-4, 20, 30), rng.uniform(1, 9, 30)
    faces = rng.permutation(30).reshape(10, 3)
    drawn = rasterise(x, y, z, faces, 20, 16)
    for row in range(16):
        for column in range(20):
            nearest, best = -1, float("inf")
            for t, corners in enumerate(faces):
                system = np.array([x[corners], y[corners], np.ones(3)])
                share = np.linalg.solve(system, [column + 0.5, row + 0.5, 1])
                if (share >= 0).all():
                    depth = float(1 / (share @ (1 / z[corners])))
                    if depth < best:
                        nearest, best = t, depth
            assert drawn.triangle[row, column] == nearest
            assert drawn.depth[row, column] == pytest.approx(best)


def test_sun_map_shades_what_lies_behind() -> None:
    overhead = SunMap(np.array([0.0, 1.0, 0.0]), np.zeros(3), 2.0, 64)
    roof = furniture.ground((-1, 1), (-1, 1), Material("metal", (0, 0, 0)), 1.0)
    overhead.add(roof.vertices, roof.faces)
    points = np.array([[0, 0, 0], [0, 2, 0], [1.8, 0, 1.8]], float)
    assert overhead.shade(points, 0.01).tolist() == [1, 0, 0]


def test_majority_agrees_with_a_slow_truth() -> None:
    labels = np.random.default_rng(1).integers(0, 21, (12, 8)).astype(np.uint8)
    labels[:2, :2] = [[3, 20], [20, 3]]  # a tie
    small = majority(labels, 2)
    assert small[0, 0] == 3
    for row in range(6):
        for column in range(4):
            block = labels[2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            assert small[row, column] == np.bincount(block.ravel()).argmax()


def test_noise_is_repeatable_and_in_range() -> None:
    x = np.linspace(-50, 50, 999)
    for noise in (cells(x, x * 0.7, 3), fractal(x, x * 0.7, 3)):
        assert ((noise >= 0) & (noise <= 1)).all()
        assert 0.4 < noise.mean() < 0.6
    assert (fractal(x, x, 3) == fractal(x, x, 3)).all()
    assert cells(np.array([2.1, 2.9]), np.array([0.5, 0.5])).std() == 0


def test_a_leg_swings_forward_at_its_heel_strike_and_bends_in_flight() -> None:
    hip, knee, _, _ = leg_angles(0.0, 1.0)
    assert hip == pytest.approx(31)
    assert knee < 10
    assert leg_angles(0.5, 1.0)[0] < -10
    assert leg_angles(0.73, 1.0)[1] > 55
    assert bump(0.98, 0.02, 0.1) == pytest.approx(bump(0.06, 0.02, 0.1))  # phases lie on a circle
