import numpy as np
import pytest
import torch

from likeness.camera import Camera
from likeness.render.light import linear_to_srgb, sh_basis, srgb_to_linear
from likeness.render.raster import barycentric_at, interpolate, rasterise, rasterise_uv
from likeness.render.view import project, vertex_normals

TRIANGLE = torch.tensor([[0, 1, 2]])


def quad(z: float, low: float = 2.0, high: float = 14.0) -> torch.Tensor:
    return torch.tensor([[low, low, z], [low, high, z], [high, high, z], [high, low, z]])


QUAD = torch.tensor([[0, 1, 2], [0, 2, 3]])


def test_covers_every_pixel_of_a_square_once_and_no_other() -> None:
    raster = rasterise(quad(1.0), QUAD, 16, 16)
    wanted = torch.zeros(16, 16, dtype=torch.bool)
    wanted[2:14, 2:14] = True
    assert torch.equal(raster.covered, wanted)
    assert torch.isinf(raster.depth[~wanted]).all()
    assert torch.allclose(raster.barycentric[wanted].sum(-1), torch.ones(int(wanted.sum())), atol=1e-5)


def test_the_nearer_triangle_shows() -> None:
    points = torch.cat([quad(2.0), quad(1.0, 5.0, 9.0)])
    raster = rasterise(points, torch.cat([QUAD, QUAD + 4]), 16, 16)
    assert (raster.triangle[5:9, 5:9] >= 2).all()
    assert raster.triangle[3, 3] in (0, 1)
    assert raster.depth[6, 6] == pytest.approx(1.0)
    assert raster.depth[3, 3] == pytest.approx(2.0)


def test_culling_drops_what_is_seen_from_inside() -> None:
    assert rasterise(quad(1.0), QUAD, 16, 16, cull=True).covered.any()
    assert not rasterise(quad(1.0), QUAD.flip(1), 16, 16, cull=True).covered.any()


def test_interpolation_is_perspective_correct() -> None:
    # A floor that runs away from the camera: half-way up in the picture is not half-way along the floor.
    camera = Camera(64, 64, 60.0, 60.0, 32.0, 32.0, np.eye(3), np.zeros(3))
    world = torch.tensor([[-4.0, 1.0, 2.0], [4.0, 1.0, 2.0], [4.0, 1.0, 20.0], [-4.0, 1.0, 20.0]])
    raster = rasterise(project(camera, world), QUAD, 64, 64)
    seen = interpolate(world, QUAD, raster)
    row, column = torch.nonzero(raster.covered, as_tuple=True)
    truth = torch.stack([(column + 0.5 - 32) / 60, (row + 0.5 - 32) / 60, torch.ones(len(row))], 1)
    truth = truth / truth[:, 1:2]  # where the pixel's ray meets y = 1
    assert len(row) > 200
    assert torch.allclose(seen[raster.covered], truth, rtol=1e-3, atol=1e-3)
    assert torch.allclose(raster.depth[raster.covered], truth[:, 2], rtol=1e-3)


def test_triangles_behind_the_camera_and_far_outside_are_left_out() -> None:
    behind = torch.tensor([[2.0, 2.0, -1.0], [2.0, 9.0, 1.0], [9.0, 9.0, 1.0]])
    assert not rasterise(behind, TRIANGLE, 16, 16).covered.any()
    outside = torch.tensor([[1e12, 1e12, 1.0], [1e12, 2e12, 1.0], [2e12, 2e12, 1.0]])
    assert not rasterise(outside, TRIANGLE, 16, 16).covered.any()


def test_gradients_agree_with_finite_differences() -> None:
    generator = torch.Generator().manual_seed(3)
    points = torch.tensor([[3.0, 4.0, 1.0], [5.0, 26.0, 2.5], [28.0, 17.0, 1.7]], dtype=torch.float64)
    values = torch.rand(3, 2, generator=generator, dtype=torch.float64)
    raster = rasterise(points.float(), TRIANGLE, 32, 32)
    weight = torch.rand(32, 32, 2, generator=generator, dtype=torch.float64)

    def loss(points: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        picture = interpolate(values, TRIANGLE, raster, barycentric_at(points, TRIANGLE, raster))
        return (picture * weight).sum()

    assert torch.autograd.gradcheck(loss, (points.requires_grad_(), values.requires_grad_()), eps=1e-5, atol=1e-5)


def test_differentiable_barycentrics_are_the_rasters_own() -> None:
    points = torch.tensor([[3.0, 4.0, 1.0], [5.0, 26.0, 2.5], [28.0, 17.0, 1.7]])
    raster = rasterise(points, TRIANGLE, 32, 32)
    assert torch.allclose(barycentric_at(points, TRIANGLE, raster), raster.barycentric, atol=1e-5)


def test_uv_rows_start_at_the_top() -> None:
    uv = torch.tensor([[0.0, 0.5], [1.0, 0.5], [1.0, 1.0], [0.0, 1.0]])
    raster = rasterise_uv(uv, QUAD, 8)
    assert raster.covered[:4].all()
    assert not raster.covered[4:].any()


def test_normals_of_a_sphere_point_outwards() -> None:
    import trimesh

    ball = trimesh.creation.icosphere(subdivisions=3)
    vertices = torch.from_numpy(np.array(ball.vertices, np.float32))
    normals = vertex_normals(vertices, torch.from_numpy(np.array(ball.faces, np.int64)))
    assert torch.allclose(normals, vertices, atol=2e-2)


def test_irradiance_of_a_known_light() -> None:
    # Uniform radiance 1 lights a white surface to radiance 1 whatever its normal; a light from +Z brightens +Z.
    normals = torch.nn.functional.normalize(torch.randn(50, 3, generator=torch.Generator().manual_seed(0)), dim=1)
    uniform = torch.zeros(9, 1)
    uniform[0] = 1 / 0.282095
    assert torch.allclose(sh_basis(normals) @ uniform, torch.ones(50, 1), atol=1e-5)
    # Against a numerical integral of max(0, n.w) / pi over a light that is itself of degree two.
    direction = torch.nn.functional.normalize(
        torch.randn(200_000, 3, generator=torch.Generator().manual_seed(1)), dim=1
    )
    x, y, z = direction.unbind(1)
    light = 1 + 0.8 * z + 0.5 * x * y
    coefficients = torch.zeros(9)
    coefficients[0], coefficients[2], coefficients[4] = 1 / 0.282095, 0.8 / 0.488603, 0.5 / 1.092548
    cosine = (normals[:8] @ direction.T).clamp(min=0)
    integral = (cosine * light).mean(1) * 4  # 4 pi of the sphere, over pi
    assert torch.allclose(sh_basis(normals[:8]) @ coefficients, integral, atol=0.02)


def test_srgb_goes_there_and_back() -> None:
    values = torch.linspace(0, 1, 300)
    assert torch.allclose(linear_to_srgb(srgb_to_linear(values)), values, atol=1e-5)
    assert srgb_to_linear(torch.tensor(0.5)) == pytest.approx(0.2140, abs=1e-4)
