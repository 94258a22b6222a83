"""The clip-space rasteriser and Genova et al.'s renderer against tf_mesh_renderer: its own tests' scenes and gradients.

Its pictures are compared where they are; the numbers computed with it are beside this file.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from likeness.render.clip_space import rasterise_clip
from likeness.render.gl_camera import euler_matrices, look_at, perspective, transform_homogeneous
from likeness.render.mesh_renderer import mesh_renderer, rasterize, tone_mapper

HERE = Path(__file__).parent
SHARED = HERE.parents[2] / "shared" / "parity" / "genova"
KERNELS = ("kernel_simple_triangle", "kernel_inside_box", "kernel_tetrahedron")
WIDTH, HEIGHT = 640, 480
CLOSE = 2e-6

needs_pictures = pytest.mark.skipif(
    not SHARED.is_dir(), reason=f"the original's own pictures are not in {SHARED.parents[1].name}"
)
devices = pytest.mark.parametrize(
    "device",
    ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU"))],
)


class Case(dict[str, np.ndarray]):
    """The arrays of one scene; `t` gives one as a tensor."""

    def __init__(self, name: str) -> None:
        with np.load(HERE / "data" / "genova" / f"{name}.npz", allow_pickle=False) as arrays:
            super().__init__(arrays)

    def t(self, name: str) -> Tensor:
        return torch.from_numpy(self[name])


def picture(name: str) -> np.ndarray:
    with np.load(SHARED / f"{name}.npz", allow_pickle=False) as arrays:
        return arrays["png"]


def outliers(image: np.ndarray, name: str, most: float = 0.01) -> float:
    """Share of pixels of which a channel is off by more than `most`: the original's own measure."""
    wanted = picture(name) / 255
    return float((np.abs(image[..., : wanted.shape[2]].clip(0, 1) - wanted) > most).any(-1).mean())


def relative(found: np.ndarray | Tensor, wanted: np.ndarray) -> float:
    return float(np.abs(np.asarray(found) - wanted).max() / np.abs(wanted).max())


@devices
@pytest.mark.parametrize("name", KERNELS)
def test_barycentrics_to_the_last_bit(name: str, device: str) -> None:
    case = Case(name)
    raster = rasterise_clip(case.t("clip_vertices")[None].to(device), case.t("triangles").to(device), WIDTH, HEIGHT)
    step = int(case["stride"])
    covered = np.unpackbits(case["coverage_packbits"])[: WIDTH * HEIGHT].reshape(HEIGHT, WIDTH).astype(bool)
    np.testing.assert_array_equal(raster.covered[0].cpu(), covered)
    np.testing.assert_array_equal(raster.triangle[0, ::step, ::step].cpu(), case["triangle_ids"])
    np.testing.assert_array_equal(raster.barycentric[0, ::step, ::step].cpu(), case["barycentrics"])
    np.testing.assert_array_equal(raster.depth[0, ::step, ::step].cpu(), case["z_buffer"])


@needs_pictures
@pytest.mark.parametrize("name", KERNELS)
def test_barycentrics_as_pictures(name: str) -> None:
    case = Case(name)
    raster = rasterise_clip(case.t("clip_vertices")[None], case.t("triangles"), WIDTH, HEIGHT)
    np.testing.assert_array_equal((raster.barycentric[0].numpy() * 255).astype(np.uint8), picture(name)[..., :3])


@pytest.mark.parametrize("case", json.loads(str(Case("edge_rules")["cases"])))
def test_rules_at_edges(case: dict) -> None:
    raster = rasterise_clip(
        torch.tensor(case["vertices"])[None], torch.tensor(case["triangles"]), case["width"], case["height"]
    )
    sums = [float(raster.barycentric[0, y, x].sum()) for x, y in case["pixels_xy"]]
    assert sums == pytest.approx(case["barycentric_sum"], abs=1e-6)


def test_cameras() -> None:
    case = Case("unlit_cube_0")
    view = look_at(case.t("eye"), case.t("center"), case.t("up"))
    lens = perspective(WIDTH / HEIGHT, case.t("fov_y"), case.t("near"), case.t("far"))
    np.testing.assert_allclose(view, case["look_at"], atol=CLOSE)
    np.testing.assert_allclose(lens, case["perspective"], rtol=1e-6)
    np.testing.assert_allclose(lens @ view, case["matrix"], rtol=1e-6, atol=CLOSE)
    gray = Case("gray_cube_0")
    np.testing.assert_allclose(euler_matrices(gray.t("euler")[None])[0], gray["euler_matrix"], atol=CLOSE)
    with pytest.raises(ValueError, match="cannot look along its own up"):
        look_at(case.t("eye"), case.t("center"), case.t("eye"))
    with pytest.raises(ValueError, match="cannot stand at the point"):
        look_at(case.t("eye"), case.t("eye"), case.t("up"))


def unlit() -> tuple[Case, np.ndarray]:
    case = Case("unlit_cube_0")
    vertices, attributes = case.t("vertices")[None], case.t("attributes")[None]
    image = rasterize(vertices, attributes, case.t("triangles"), case.t("matrix"), WIDTH, HEIGHT, case.t("background"))
    return case, image[0].numpy()


def gray() -> tuple[Case, np.ndarray]:
    case = Case("gray_cube_0")
    return case, shot(case)[0].numpy()


def shot(case: Case, **more: object) -> Tensor:
    scene = [case.t(name)[None] for name in ("normals", "diffuse")]
    camera = [case.t(name) for name in ("eye", "center", "up")]
    lights = [case.t(name)[None] for name in ("light_positions", "light_intensities")]
    return mesh_renderer(case.t("vertices")[None], case.t("triangles"), *scene, *camera, *lights, WIDTH, HEIGHT, **more)


def coloured(shininess: object) -> tuple[Case, np.ndarray, np.ndarray]:
    case = Case("colored_cube_0")
    lens = {"fov_y": float(case["fov_y"]), "near_clip": float(case["near"]), "far_clip": float(case["far"])}
    surface = {"specular_colors": case.t("specular")[None], "ambient_color": case.t("ambient")[None]}
    raw = shot(case, shininess_coefficients=shininess, **surface, **lens)
    toned = torch.cat([tone_mapper(raw[..., :3], float(case["tone_gamma"])), raw[..., 3:]], -1)
    return case, raw[0].numpy(), toned[0].numpy()


@pytest.mark.parametrize("scene", [unlit, gray])
def test_scenes(scene) -> None:
    case, image = scene()
    step = int(case["stride"])
    np.testing.assert_allclose(image[::step, ::step], case["render_sample"], rtol=0, atol=CLOSE)
    if SHARED.is_dir():
        assert outliers(image, f"{scene.__name__}_cube_0") == 0


@pytest.mark.parametrize("shininess", [6.0, torch.full((1, 8), 6.0)], ids=["a number", "a vertex each"])
def test_lit_scene(shininess: object) -> None:
    case, raw, toned = coloured(shininess)
    step = int(case["stride"])
    np.testing.assert_allclose(raw[::step, ::step], case["render_raw_sample"], rtol=0, atol=CLOSE)
    np.testing.assert_allclose(toned[::step, ::step], case["render_tonemapped_sample"], rtol=0, atol=CLOSE)
    if SHARED.is_dir():
        assert outliers(toned, "colored_cube_0") == 0


def test_highlights_by_phong() -> None:
    """A wall that faces lamp and eye in one place: the mirror misses the eye by twice the angle at which it is seen."""
    wall = torch.tensor([[[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]])
    eye, colour = torch.tensor([0.0, 0.0, 3.0]), torch.tensor([0.25, 0.5, 1.0])
    image = mesh_renderer(
        wall,
        torch.tensor([[0, 1, 2], [0, 2, 3]]),
        torch.tensor([0.0, 0.0, 1.0]).expand(1, 4, 3),
        torch.zeros(1, 4, 3),
        *(eye, torch.zeros(3), torch.tensor([0.0, 1.0, 0.0])),
        *(eye.expand(1, 1, 3), 2 * torch.ones(1, 1, 3)),
        *(41, 41),
        colour.expand(1, 4, 3),
        10.0,
        fov_y=20.0,
        highlights="phong",
    )[0]
    across = (torch.arange(41) - 20) / 20.5 * np.tan(np.radians(10))
    cosine = (1 + across[:, None] ** 2 + across**2).rsqrt()
    wanted = 2 * colour * ((2 * cosine**2 - 1) ** 10)[..., None]
    np.testing.assert_allclose(image[..., :3], wanted, atol=1e-5)
    assert (image[..., 3] == 1).all()


@devices
@pytest.mark.parametrize("name", ["cube_ndc", "cube_persp"])
def test_gradients_of_barycentrics(name: str, device: str) -> None:
    case = Case("gradients")
    clip = case.t(f"{name}_clip")[None].to(device).requires_grad_()
    raster = rasterise_clip(clip, case.t("triangles_cube").to(device), 28, 21)
    np.testing.assert_array_equal(raster.barycentric[0].detach().cpu(), case[f"{name}_bary"])
    np.testing.assert_array_equal(raster.triangle[0].cpu(), case[f"{name}_ids"])
    (gradient,) = torch.autograd.grad((raster.barycentric[0] * case.t(f"{name}_df_dbary").to(device)).sum(), clip)
    assert relative(gradient[0].cpu(), case[f"{name}_grad"]) < CLOSE
    assert not gradient[..., 2].any()


@pytest.mark.parametrize("name", ["triangle", "perspective"])
def test_jacobian_of_a_pixel(name: str) -> None:
    case = Case("gradients")
    clip = case.t(f"{name}_clip")[None].requires_grad_()
    column, row = case[f"{name}_pixel_xy"]
    shares = rasterise_clip(clip, torch.tensor([[0, 1, 2]]), WIDTH, HEIGHT).barycentric[0, row, column]
    np.testing.assert_array_equal(shares.detach(), case[f"{name}_bary"])
    found = torch.stack([torch.autograd.grad(share, clip, retain_graph=True)[0][0] for share in shares])
    assert relative(found, case[f"{name}_jacobian"]) < CLOSE


@pytest.mark.parametrize("name", ["full_fixed_normals", "full_normals_from_vertices"])
def test_gradients_of_the_whole_renderer(name: str) -> None:
    case = Case("gradients")
    vertices = case.t("full_vertices").requires_grad_()
    source = vertices if name == "full_normals_from_vertices" else vertices.detach()
    normals = nn.functional.normalize(source, dim=1)
    image = cube(vertices, normals, euler_matrices(case.t("full_euler"))[:, :3, :3], 28, 21)
    np.testing.assert_allclose(image.detach(), case[f"{name}_render"], rtol=0, atol=CLOSE)
    (gradient,) = torch.autograd.grad((image * case.t("full_cotangent")).sum(), vertices)
    assert relative(gradient, case[f"{name}_grad"]) < 1e-5


def cube(vertices: Tensor, normals: Tensor, rotations: Tensor, width: int, height: int) -> Tensor:
    """The original's cube, white, with a lamp at the eye."""
    eye, count = torch.tensor([0.0, 0.0, 6.0]), len(rotations)
    turn = rotations.transpose(1, 2)
    triangles = Case("gradients").t("triangles_cube")
    camera = (eye, torch.zeros(3), torch.tensor([0.0, 1.0, 0.0]))
    lights = (eye.expand(count, 1, 3), torch.ones(count, 1, 3))
    colours = torch.ones(count, len(vertices), 3)
    return mesh_renderer(vertices @ turn, triangles, normals @ turn, colours, *camera, *lights, width, height)


def test_a_cube_is_turned_by_its_picture() -> None:
    """The original's own optimisation, at a quarter of its size: 35 steps from no rotation to that of the picture."""
    case = Case("gray_cube_0")
    corners = Case("gradients").t("full_vertices")
    normals = nn.functional.normalize(corners, dim=1)

    def seen(angles: Tensor) -> Tensor:
        return cube(corners, normals, euler_matrices(angles)[:, :3, :3], WIDTH // 4, HEIGHT // 4)

    wanted = seen(case.t("euler")[None])
    angles = torch.zeros(1, 3, requires_grad=True)
    optimiser = torch.optim.SGD([angles], lr=0.7, momentum=0.1)
    for _ in range(35):
        optimiser.zero_grad()
        (seen(angles) - wanted).abs().mean().backward()
        nn.utils.clip_grad_norm_([angles], 1.0)
        optimiser.step()
    off = (seen(angles.detach()) - wanted).abs().amax(-1)
    assert float((off > 0.04).float().mean()) < 0.01


def test_of_equal_depths_the_last_triangle_shows_in_every_picture() -> None:
    square = torch.tensor([[-0.5, -0.5, 0.25, 1], [0.5, -0.5, 0.25, 1], [0.5, 0.5, 0.25, 1], [-0.5, 0.5, 0.25, 1]])
    nearer = square * torch.tensor([0.5, 0.5, -1, 1])
    triangles = torch.tensor([[0, 1, 2], [0, 2, 3], [1, 2, 3], [3, 1, 0]])
    raster = rasterise_clip(torch.stack([square, nearer]), triangles, 16, 16)
    assert set(raster.triangle[raster.covered].tolist()) == {2, 3}
    assert [int(n) for n in raster.covered.sum((1, 2))] == [64, 16]
    assert raster.depth[raster.covered].unique().tolist() == [-0.25, 0.25]
    both = rasterise_clip(torch.cat([nearer, square])[None], torch.cat([triangles[:2], triangles[:2] + 4]), 16, 16)
    assert (both.triangle[0, 6:10, 6:10] < 2).all()


def test_a_floor_under_the_camera_is_drawn_up_to_its_feet() -> None:
    """One corner lies behind the eye (w < 0); the floor still fills the picture's lower half, and no more."""
    corners = torch.tensor([[[0.0, -1.0, 5.0], [-900.0, -1.0, -50.0], [900.0, -1.0, -50.0]]])
    one = torch.ones(1)
    floor = transform_homogeneous(perspective(1.0, 90 * one, 0.1 * one, 100 * one), corners)
    assert (floor[0, :, 3] < 0).tolist() == [True, False, False]
    raster = rasterise_clip(floor, torch.tensor([[0, 1, 2]]), 16, 16)
    assert raster.covered[0, :8].all()
    assert not raster.covered[0, 8:].any()


def test_shapes_that_do_not_fit_are_told() -> None:
    case = Case("gray_cube_0")
    with pytest.raises(ValueError, match="vertices are"):
        rasterise_clip(case.t("vertices")[None], case.t("triangles"), 8, 8)
    with pytest.raises(ValueError, match="triangles are"):
        rasterise_clip(torch.zeros(1, 8, 4), case.t("vertices"), 8, 8)
    with pytest.raises(ValueError, match="given together"):
        shot(case, specular_colors=case.t("diffuse")[None])
    with pytest.raises(ValueError, match='"original" or "phong"'):
        shot(case, highlights="blinn")
    case["normals"] = case["normals"][1:]
    with pytest.raises(ValueError, match="normals have the shape"):
        shot(case)
