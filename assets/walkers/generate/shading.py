"""Light on surfaces: what colour a fragment has, and how sun, sky and ground light it. Linear light, no camera yet."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter

from isp_assets.walkers.generate.arrays import Bools, Colour, Floats, Ints
from isp_assets.walkers.generate.mesh import Mesh
from isp_assets.walkers.generate.noise import fractal
from isp_assets.walkers.generate.patterns import CLOTH
from isp_assets.walkers.generate.surfaces import STREET

PATTERNS = CLOTH | STREET


@dataclass(frozen=True)
class Light:
    """A session's light: the sun's direction and linear colours of sun, sky and light from the ground."""

    towards_sun: tuple[float, float, float]
    sun: Colour
    sky: Colour
    ground: Colour

    @property
    def direction(self) -> Floats:
        way = np.array(self.towards_sun, float)
        return np.asarray(way / np.linalg.norm(way))


@dataclass(frozen=True)
class Surface:
    """What n fragments are made of: linear albedo (n, 3), unit normals (n, 3), gloss (n,)."""

    albedo: Floats
    normal: Floats
    gloss: Floats


def _dot(first: Floats, second: Floats) -> Floats:
    product: Floats = np.einsum("nc,nc->n", first, second)
    return product


def _unit(vectors: Floats) -> Floats:
    return vectors / np.sqrt(np.maximum(_dot(vectors, vectors), 1e-18))[:, None]


def _folded(normal: Floats, coords: Floats, depth: Floats) -> Floats:
    """Normals tilted by folds of cloth: the gradient of noise stretched along the body's diagonal."""
    around, height = coords[:, 0] + 0.6 * coords[:, 2], coords[:, 1]
    sleeve = coords[:, 3] > 0.5
    around = np.where(sleeve, coords[:, 4] + 0.6 * coords[:, 6], around) * 0.9
    height = np.where(sleeve, coords[:, 5] * 1.5, height * 0.75 + 0.3 * around)
    step = 0.08
    here = fractal(around, height, 31, 3)
    aside = np.stack([normal[:, 2], np.zeros(len(normal)), -normal[:, 0]], axis=1)
    above = np.cross(normal, aside)
    tilt_aside = (fractal(around + step, height, 31, 3) - here) / step
    tilt_above = (fractal(around, height + step, 31, 3) - here) / step
    out = normal - depth[:, None] * (tilt_aside[:, None] * aside + tilt_above[:, None] * above)
    return _unit(out)


def surface(mesh: Mesh, triangle: Ints, weights: Floats, rays: Floats) -> Surface:
    """Materials at fragments: triangles (n,), barycentric weights (n, 2), rays from the camera (n, 3)."""
    third = np.stack([weights[:, 0], weights[:, 1], 1 - weights[:, 0] - weights[:, 1]], axis=1)
    corners = mesh.faces[triangle]
    coords = np.einsum("nk,nkc->nc", third, mesh.coords[corners])
    paint = np.einsum("nk,nkc->nc", third, mesh.paint[corners])
    normal = np.einsum("nk,nkc->nc", third, mesh.normals[corners])
    normal = _unit(normal)
    away = _dot(normal, rays) > 0
    normal[away] *= -1
    material = mesh.material[triangle]
    order = np.argsort(material, kind="stable")
    present, start = np.unique(material[order], return_index=True)
    albedo, gloss, folds = np.empty((len(triangle), 3)), np.empty(len(triangle)), np.zeros(len(triangle))
    for index, rows in zip(present, np.split(order, start[1:]), strict=True):
        what = mesh.materials[index]
        albedo[rows] = PATTERNS[what.pattern](what, coords[rows], paint[rows])
        gloss[rows], folds[rows] = what.gloss, what.folds
    cloth = folds > 0
    if cloth.any():
        normal[cloth] = _folded(normal[cloth], coords[cloth], folds[cloth])
    return Surface(np.clip(albedo, 0, 1) ** 2.2, normal, gloss)


def lit(what: Surface, light: Light, rays: Floats) -> tuple[Floats, Floats]:
    """Linear colour (n, 3) due to sky and ground, and due to an unshaded sun."""
    up = 0.5 + 0.5 * what.normal[:, 1:2]
    ambient = what.albedo * (np.array(light.sky) * up + np.array(light.ground) * (1 - up))
    sun = light.direction
    facing = np.clip(what.normal @ sun, 0, 1)
    view = _unit(-rays)
    half = _unit(view + sun)
    shine = what.gloss * np.clip(_dot(what.normal, half), 0, 1) ** 24 * 0.5
    fresnel = what.gloss * 0.5 * (1 - np.clip(_dot(what.normal, view), 0, 1)) ** 4
    ambient = ambient + fresnel[:, None] * np.array(light.sky)
    return ambient, (what.albedo * facing[:, None] + shine[:, None]) * np.array(light.sun)


def crevices(depth: Floats, metres_per_pixel: float, covered: Bools) -> Floats:
    """(H, W) share of sky light that reaches a pixel, from how far its surroundings stand before it: 0.35 .. 1."""
    reference = float(np.median(depth[covered])) if covered.any() else 1.0
    flat = np.minimum(depth, reference + 1.0)
    blocked = np.zeros_like(depth)
    for radius in (0.03, 0.08):
        around = uniform_filter(flat, max(3, round(3 * radius / metres_per_pixel)))
        blocked += np.clip((flat - around) / radius, 0, 1.2) * 0.5
    return np.where(covered, np.clip(1 - 0.55 * blocked, 0.35, 1), 1.0)
