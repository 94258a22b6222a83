"""Pictures of a morphable model as the identity network wants them, differentiable in shape and colour."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from likeness.faces.chip import SIZE as SIDE
from likeness.faces.chip import TARGET
from likeness.fitting.scenes import Scene
from likeness.heads.morphable import Morphable
from likeness.render.light import linear_to_srgb
from likeness.render.raster import barycentric_at, interpolate, rasterise
from likeness.render.view import vertex_normals

__all__ = ["shoot"]

FINE = 1  # pixels of the rasteriser along one of the chip's
SHADOW = 160  # pixels of the key lamp's view
GLOSS = 0.3  # of a lamp's shine
KNEE = 0.8  # of full light, above which a camera compresses
SHIFT, BIAS = 0.003, 0.004  # metres off the surface, and towards the lamp, at which its light is looked for


def shoot(model: Morphable, identity: Tensor, albedo: Tensor, scenes: list[Scene]) -> Tensor:
    """Chips (B, 3, 150, 150) in 0..255 of heads (B, N) with colours (B, K), a scene each.

    Gradients reach both through shading and through where things are (`likeness.render.raster.barycentric_at`); what
    is hidden by what has none.
    """
    device = model.mean.device
    expression = torch.stack([scene.expression for scene in scenes]).to(device)
    vertices = model.vertices(identity, expression)
    colours = model.colours(albedo)
    return torch.stack([_shot(model, v, c, s) for v, c, s in zip(vertices, colours, scenes, strict=True)])


def _shot(model: Morphable, vertices: Tensor, colours: Tensor, scene: Scene) -> Tensor:
    triangles = model.triangles
    marks = model.five.on(vertices, triangles)
    normals = vertex_normals(vertices, triangles)
    if scene.hair:
        lumps = torch.cos(vertices.detach() @ _like(vertices, scene.waves) + _like(vertices, scene.phases)).sum(1)
        thick = model.scalp**2 * scene.hair * (1 + 0.1 * lumps)
        vertices = vertices + normals * thick[:, None]
        normals = vertex_normals(vertices, triangles)

    rotation = _like(vertices, scene.rotation)
    away = _like(vertices, [0.0, 0.0, 1.0]) * scene.distance * (marks[0] - marks[2]).norm()
    points = _placed(vertices, marks, rotation, away, scene)
    raster = rasterise(points, triangles, SIDE * FINE, SIDE * FINE)
    weights = barycentric_at(points, triangles, raster)
    seen = interpolate(torch.cat([colours, normals, vertices], 1), triangles, raster, weights)[raster.covered]
    albedo, normal, place = seen[:, :3], functional.normalize(seen[:, 3:6], dim=1), seen[:, 6:]
    view = functional.normalize(marks.mean(0) - rotation.T @ away - place, dim=1)
    normal = torch.where((normal * view).sum(1, keepdim=True) < 0, -normal, normal)
    key = _like(vertices, scene.lamps[0].direction)
    free = _reached(vertices, triangles, place + SHIFT * normal, key)
    diffuse, gloss = _lit(normal, view, free, scene)
    return _developed(albedo * diffuse + gloss, raster.covered, scene)


def _like(tensor: Tensor, values: object) -> Tensor:
    return torch.as_tensor(values, dtype=tensor.dtype, device=tensor.device)


def _lit(normal: Tensor, view: Tensor, free: Tensor, scene: Scene) -> tuple[Tensor, Tensor]:
    """Light (P, 3) that falls on skin, and gloss (P, 3) that it throws back unchanged; normals and views (P, 3), and
    the share (P, 1) of the first lamp that nothing hides."""
    up = (normal[:, 1:2] + 1) / 2
    diffuse = up * _like(normal, scene.above) + (1 - up) * _like(normal, scene.below)
    gloss = torch.zeros_like(diffuse)
    for number, lamp in enumerate(scene.lamps):
        to, colour = _like(normal, lamp.direction), _like(normal, lamp.colour)
        share = torch.ones_like(free) if number else free
        cosine = (((normal @ to)[:, None] + lamp.wrap) / (1 + lamp.wrap)).clamp(min=0)
        half = functional.normalize(view + to, dim=1)
        mirrored = (normal * half).sum(1, keepdim=True).clamp(min=1e-4) ** lamp.gloss
        diffuse = diffuse + share * cosine * colour
        gloss = gloss + GLOSS * lamp.shine * share * mirrored * colour
    return diffuse, gloss


def _developed(radiance: Tensor, covered: Tensor, scene: Scene) -> Tensor:
    """A chip (3, 150, 150) in 0..255 of light (P, 3) where the face is, and the scene's background elsewhere."""
    bright = radiance.detach().mean(1).quantile(0.6).clamp(min=1e-6)
    aim = scene.exposure * float((bright / 0.1).clamp(0.35, 1.0)) ** 0.25  # dark skin stays darker
    radiance = radiance * (aim / bright) * _like(radiance, scene.balance)
    ramp = torch.linspace(0, 1, len(covered), device=radiance.device)[:, None, None]
    top, foot = _like(radiance, scene.background)
    picture = ((1 - ramp) * top + ramp * foot).repeat(1, covered.shape[1], 1)
    # In place on a fresh tensor: autograd follows it.
    picture[covered] = radiance
    over = (picture - KNEE).clamp(min=0) / (1 - KNEE)
    picture = torch.where(picture > KNEE, KNEE + (1 - KNEE) * (1 - torch.exp(-over)), picture)
    small = functional.avg_pool2d(picture.permute(2, 0, 1)[None], FINE)
    small = linear_to_srgb(_blurred(small, scene.blur).clamp(1e-5, 1))
    small = (1 - scene.contrast) * small + scene.contrast * (3 * small**2 - 2 * small**3)
    noise = torch.randn(small.shape, generator=torch.Generator().manual_seed(scene.seed)) * scene.grain
    return (255 * small[0] + noise[0].to(small.device)).clamp(0, 255)


def _placed(vertices: Tensor, marks: Tensor, rotation: Tensor, away: Tensor, scene: Scene) -> Tensor:
    """(V, 3) pixels and depth, aligned by the five points as they are seen, errors of the landmarks included."""
    middle = marks.mean(0)

    def seen(points: Tensor) -> Tensor:
        camera = (points - middle) @ rotation.T + away
        return torch.cat([camera[:, :2] / camera[:, 2:], camera[:, 2:]], 1)

    flat, five = seen(vertices), seen(marks)[:, :2]
    five = five + _like(five, scene.jitter) / scene.distance
    target = FINE * _like(five, TARGET)
    a, b = five - five.mean(0), target - target.mean(0)
    # The least-squares similarity in the plane, as one complex number.
    real = (a * b).sum() / (a * a).sum()
    imaginary = (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum() / (a * a).sum()
    turn = torch.stack([torch.stack([real, -imaginary]), torch.stack([imaginary, real])])
    places = (flat[:, :2] - five.mean(0)) @ turn.T + target.mean(0)
    return torch.cat([places, flat[:, 2:]], 1)


@torch.no_grad()
def _reached(vertices: Tensor, triangles: Tensor, place: Tensor, to: Tensor) -> Tensor:
    """(P, 1) 1 where a far lamp in the direction `to` is seen from the places (P, 3), 0 where it is hidden."""
    side = functional.normalize(torch.linalg.cross(to, to.new_tensor([0.1, 1.0, 0.2])), dim=0)
    frame = torch.stack([side, torch.linalg.cross(side, to), -to], 1)
    middle = vertices.mean(0)
    scale = SHADOW / 2 / (vertices - middle).norm(dim=1).max()

    def seen(points: Tensor) -> Tensor:
        local = (points - middle) @ frame
        return torch.cat([local[:, :2] * scale + SHADOW / 2, local[:, 2:] + 1], 1)

    depth = rasterise(seen(vertices), triangles, SHADOW, SHADOW).depth
    blocked = depth.isfinite()
    near = torch.where(blocked, depth, 9.0)
    spot = seen(place)
    hidden = torch.zeros_like(place[:, :1])
    for x, y in ((-0.75, -0.75), (0.75, -0.75), (-0.75, 0.75), (0.75, 0.75)):
        column, row = ((spot[:, k] + o).long().clamp(0, SHADOW - 1) for k, o in ((0, x), (1, y)))
        hidden += (near[row, column] < spot[:, 2] - BIAS).float()[:, None]
    return 1 - hidden / 4


def _blurred(picture: Tensor, sigma: float) -> Tensor:
    """(1, 3, H, W) seen through a lens that spreads a point by sigma pixels."""
    steps = torch.arange(-2, 3, dtype=picture.dtype, device=picture.device)
    kernel = torch.exp(-0.5 * (steps / max(sigma, 1e-3)) ** 2)
    kernel = (kernel / kernel.sum()).repeat(3, 1)
    picture = functional.pad(picture, (2, 2, 2, 2), mode="replicate")
    across = functional.conv2d(picture, kernel[:, None, None, :], groups=3)
    return functional.conv2d(across, kernel[:, None, :, None], groups=3)
