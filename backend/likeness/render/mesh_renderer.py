"""Genova et al.'s differentiable renderer: gl cameras, deferred Phong shading, arguments and pictures as theirs.

Source: tf_mesh_renderer (Genova, Cole, Maschinot, Sarna, Vlasic and Freeman, 2018; Apache-2.0). Gradients reach
vertices, normals, colours, lights and cameras; none tells of silhouettes. docs/genova.md lists the conventions.
"""

from __future__ import annotations

import torch
from torch import Tensor

from likeness.render.clip_space import interpolate_clip, rasterise_clip
from likeness.render.gl_camera import look_at, perspective, transform_homogeneous

__all__ = ["mesh_renderer", "rasterize", "tone_mapper"]

Number = float | Tensor


def rasterize(
    world_space_vertices: Tensor,
    attributes: Tensor,
    triangles: Tensor,
    camera_matrices: Tensor,
    image_width: int,
    image_height: int,
    background_value: Tensor,
) -> Tensor:
    """Pictures of vertex attributes, unlit; their first row is the lowest.

    Args:
        world_space_vertices: (B, V, 3) float32.
        attributes: (B, V, K) float32.
        triangles: (T, 3) integers.
        camera_matrices: (B, 4, 4) world to clip space, acting on columns.
        image_width, image_height: in pixels.
        background_value: (K,) where there is nothing.

    Returns:
        (B, H, W, K).
    """
    clip = transform_homogeneous(camera_matrices, world_space_vertices)
    raster = rasterise_clip(clip, triangles, image_width, image_height)
    seen, place = interpolate_clip(attributes, triangles, raster)
    # In place on a fresh tensor: autograd follows it.
    picture = background_value.to(seen).expand(*raster.covered.shape, seen.shape[1]).clone()
    picture[place] = seen
    return picture


def mesh_renderer(
    vertices: Tensor,
    triangles: Tensor,
    normals: Tensor,
    diffuse_colors: Tensor,
    camera_position: Tensor,
    camera_lookat: Tensor,
    camera_up: Tensor,
    light_positions: Tensor,
    light_intensities: Tensor,
    image_width: int,
    image_height: int,
    specular_colors: Tensor | None = None,
    shininess_coefficients: Number | None = None,
    ambient_color: Tensor | None = None,
    fov_y: Number = 40.0,
    near_clip: Number = 0.01,
    far_clip: Number = 10.0,
    *,
    highlights: str = "original",
) -> Tensor:
    """Render meshes of one topology with point lights.

    Args:
        vertices: (B, V, 3) float32 in the world, any unit.
        triangles: (T, 3) integers; both sides are drawn.
        normals: (B, V, 3) float32, unit; they are not made from the vertices.
        diffuse_colors: (B, V, 3) float32, 0..1. Where no channel of a pixel is 0 or more, nothing shows.
        camera_position, camera_lookat, camera_up: (B, 3) or (3,) float32 in the world.
        light_positions, light_intensities: (B, L, 3) float32; no fall-off with distance.
        image_width, image_height: in pixels.
        specular_colors: (B, V, 3) float32 or None.
        shininess_coefficients: exponent: a number, (B,), or (B, V); given if and only if specular_colors are.
        ambient_color: (B, 3) float32 or None.
        fov_y: whole vertical angle of view in degrees: a number or (B,).
        near_clip, far_clip: distances: numbers or (B,).
        highlights: "original" scales the cosines of reflection to unit length over the whole picture before raising
            them to the exponent, as the original does, so that next to nothing is left of them; "phong" does not.

    Returns:
        (B, H, W, 4) float32 red, green, blue in linear light, not clamped, and 1 or 0 for whether there is something;
        row 0 is the highest.

    Raises:
        ValueError: shapes other than these.
    """
    batch = _checked(vertices, normals, diffuse_colors, light_positions, light_intensities)
    if (specular_colors is None) != (shininess_coefficients is None):
        raise ValueError("specular colours and shininess are given together or not at all")
    if highlights not in ("original", "phong"):
        raise ValueError(f'highlights are "original" or "phong", not {highlights!r}')
    eye, centre, up = (_each(v, batch) for v in (camera_position, camera_lookat, camera_up))
    angle, near, far = (torch.as_tensor(n, dtype=torch.float32, device=vertices.device).expand(batch)
                        for n in (fov_y, near_clip, far_clip))  # fmt: skip
    matrices = perspective(image_width / image_height, angle, near, far) @ look_at(eye, centre, up)
    attributes = [normals, vertices, diffuse_colors]
    if specular_colors is not None:
        exponent = torch.as_tensor(shininess_coefficients, dtype=torch.float32, device=vertices.device)
        exponent = exponent if exponent.ndim == 2 else exponent.reshape(-1, 1).expand(batch, vertices.shape[1])
        attributes += [specular_colors, exponent[..., None]]
    raster = rasterise_clip(transform_homogeneous(matrices, vertices), triangles, image_width, image_height)
    seen, (picture, row, column) = interpolate_clip(torch.cat(attributes, 2), triangles, raster)
    normal, place, diffuse = _unit(seen[:, :3]), seen[:, 3:6], seen[:, 6:9]

    colour = torch.zeros_like(diffuse)
    if ambient_color is not None:
        colour = colour + ambient_color[picture] * diffuse
    to_light = _unit(light_positions[picture] - place[:, None])  # (P, L, 3)
    facing = (normal[:, None] * to_light).sum(2).clamp(0, 1)  # (P, L)
    intensity = light_intensities[picture]
    colour = colour + (diffuse[:, None] * facing[..., None] * intensity).sum(1)
    if specular_colors is not None:
        mirrored = _unit(2 * facing[..., None] * normal[:, None] - to_light)
        cosine = (mirrored * _unit(eye[picture] - place)[:, None]).sum(2)
        if highlights == "original":
            empty = image_width * image_height - torch.bincount(picture, minlength=batch)
            cosine = cosine * _scale(cosine, picture, empty, light_positions, eye)[picture]
        cosine = torch.where(facing != 0, cosine.clamp(0, 1), 0.0)
        colour = colour + (seen[:, None, 9:12] * (cosine ** seen[:, 12:])[..., None] * intensity).sum(1)

    shown = (diffuse >= 0).any(1, keepdim=True)
    colour = torch.cat([torch.where(shown, colour, 0.0), shown.to(colour)], 1)
    # In place on a fresh tensor: autograd follows it.
    image = colour.new_zeros((batch, image_height, image_width, 4))
    image[picture, image_height - 1 - row, column] = colour
    return image


def _scale(cosine: Tensor, picture: Tensor, empty: Tensor, lights: Tensor, eye: Tensor) -> Tensor:
    """(B, L) one over the length of each light's cosines over a whole picture.

    The original shades pixels that show nothing too: there normal, place and colours are all -1.
    """
    squares = lights.new_zeros(lights.shape[:2]).index_add(0, picture, cosine.square())
    nothing = -torch.ones_like(eye)[:, None]
    to_light = _unit(lights - nothing)
    normal = _unit(nothing)
    facing = (normal * to_light).sum(2, keepdim=True).clamp(0, 1)
    behind = (_unit(2 * facing * normal - to_light) * _unit(eye[:, None] - nothing)).sum(2)
    return (squares + empty[:, None] * behind.square()).clamp(min=1e-12).rsqrt()


def tone_mapper(image: Tensor, gamma: float) -> Tensor:
    """Pictures (B, H, W, C) to the power of gamma, scaled so that the highest value of each is 1; clamped to 0..1."""
    bent = image**gamma
    return (bent / bent.amax((1, 2, 3), keepdim=True)).clamp(0, 1)


def _unit(vectors: Tensor) -> Tensor:
    """TensorFlow's normalisation: a vector that is all but nothing stays so."""
    return vectors * vectors.square().sum(-1, keepdim=True).clamp(min=1e-12).rsqrt()


def _each(vector: Tensor, batch: int) -> Tensor:
    if vector.shape not in ((3,), (batch, 3)):
        raise ValueError(f"camera vectors are (3,) or ({batch}, 3), not {tuple(vector.shape)}")
    return vector.expand(batch, 3)


def _checked(vertices: Tensor, normals: Tensor, colours: Tensor, lights: Tensor, intensities: Tensor) -> int:
    batch, count = vertices.shape[:2] if vertices.ndim == 3 else (0, 0)
    for name, values, shape in (
        ("vertices", vertices, (batch, count, 3)),
        ("normals", normals, (batch, count, 3)),
        ("diffuse colours", colours, (batch, count, 3)),
        ("light positions", lights, (batch, lights.shape[1] if lights.ndim == 3 else 0, 3)),
        ("light intensities", intensities, (batch, lights.shape[1] if lights.ndim == 3 else 0, 3)),
    ):
        if batch == 0 or values.shape != shape:
            raise ValueError(f"{name} have the shape {tuple(values.shape)}, which does not go with the others")
    return batch
