"""DECA against its own code (commit a11554ae), out of files read through the store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from fill import fill
from flame_cases import case, worst, write_deca, write_deca_data, write_model

from likeness.errors import WeightsError
from likeness.methods.deca import loaded, place_in_photo
from likeness.methods.deca_model import Codes, Deca, projected, sh_shading
from likeness.methods.flame_crops import Crop, box_crop, landmark_crop, whole_crop
from likeness.render.raster import rasterise
from likeness.weights import store

SIDE = 224


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deca]:
    sources = tmp_path_factory.mktemp("official")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIKENESS_HOME", str(tmp_path_factory.mktemp("home")))
        store.install("flame-2020", write_model(sources))
        store.install("deca-data", write_deca_data(sources / "data"))
        store.install("deca", write_deca(sources / "deca_model.tar"))
        yield loaded()[1]


def codes_of(given: dict[str, np.ndarray], **more: np.ndarray) -> Codes:
    count = len(given["shape"])
    blank = {"tex": (50,), "light": (9, 3), "detail": (128,)}
    named = {name: given[name] for name in ("shape", "exp", "pose", "cam")}
    named |= {name: more.get(name, np.zeros((count, *shape), np.float32)) for name, shape in blank.items()}
    return Codes(**{name: torch.from_numpy(value) for name, value in named.items()})


def near(ours: np.ndarray, theirs: np.ndarray, tolerance: float) -> None:
    """Within a share of the largest number of the array."""
    assert worst(ours, theirs) < tolerance * np.abs(theirs).max()


def test_encode(model: Deca) -> None:
    given = case("deca/encode")
    crops = torch.from_numpy(fill("deca/encode_image", (2, 3, 14, 14), "uniform").repeat(16, 2).repeat(16, 3))
    codes = model.encode(crops)
    with torch.inference_mode():
        near(model.coarse_encoder.encoder(crops)[:, ::16].numpy(), given["feature"], 1e-4)
    for name in ("shape", "tex", "exp", "pose", "cam", "light", "detail"):
        near(getattr(codes, name).numpy(), given[name], 1e-4)


def test_detail_decoder(model: Deca) -> None:
    given = case("deca/detail_decoder")
    with torch.inference_mode():
        metres = model.decoder(torch.from_numpy(given["latent"]))
    assert np.abs(given["displacement"]).max() > 0.003
    assert worst(metres[:, :, ::2, ::2], given["displacement"]) < 1e-6


def test_decode_geometry(model: Deca) -> None:
    given = case("deca/decode_geometry")
    codes = codes_of(given)
    coarse = model.coarse(codes)
    placed = projected(coarse.vertices, codes.cam)
    assert worst(coarse.vertices[:, ::8], given["verts"]) < 1e-5
    assert worst(placed[:, ::8], given["trans_verts"]) < 1e-5
    assert worst(coarse.landmarks2d, given["landmarks2d"]) < 1e-5
    assert worst(coarse.landmarks3d, given["landmarks3d"]) < 1e-5
    assert worst(coarse.landmarks_world, given["landmarks3d_world"]) < 1e-5


def test_camera_back_to_the_photo(model: Deca) -> None:
    given = case("deca/decode_geometry")
    height, width = given["orig_hw"]
    vertices = model.coarse(codes_of(given)).vertices[:, ::8].double().numpy()
    crop = Crop(given["tform"].astype(np.float64))
    for item, cam in enumerate(given["cam"]):
        placed = place_in_photo(crop, cam)
        x = placed.scale * (vertices[item, :, 0] + placed.shift[0]) + placed.centre[0]
        y = -placed.scale * (vertices[item, :, 1] + placed.shift[1]) + placed.centre[1]
        # Ours count from the first pixel's corner, theirs from its centre and then go to -1..1.
        ours = np.stack([(x - 0.5) / width * 2 - 1, (y - 0.5) / height * 2 - 1], 1)
        assert worst(ours, given["trans_verts_orig"][item, :, :2]) < 1e-5


def test_decode_with_detail(model: Deca) -> None:
    given = case("deca/decode_full")
    codes = codes_of(given, light=given["light"], detail=given["detail"])
    coarse = model.coarse(codes)
    detail = model.detail(codes, coarse)
    assert worst(coarse.normals[:, ::4], given["normals"]) < 1e-4
    on_edge = np.abs(_facing(model, codes) - 0.1) < 1e-3
    seen = coarse.visible[0].numpy() == (given["landmarks3d_vis"][0, :, 0] > 0)
    assert (seen | on_edge).all()
    crop = torch.from_numpy(fill("deca/in_images", (3, 3, 28, 28), "uniform").repeat(8, 2).repeat(8, 3))[0]
    texture = model.photo_texture(coarse, codes, crop)
    shading = sh_shading(detail.normals, codes.light[0])
    cover = given["uv_cover"][0, 0]
    assert (model.covered.numpy()[::2, ::2] == cover).mean() > 0.995
    inner = cv2.erode(cover.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0) > 0
    checks = (
        ("uv_verts", detail.positions, 4, 1e-5),
        ("uv_normals", detail.normals_coarse, 4, 1e-3),
        ("uv_detail_normals", detail.normals, 2, 1e-3),
        ("displacement_map", detail.displacement[..., None], 4, 1e-5),
        ("uv_shading", shading, 4, 1e-3),
        ("uv_texture_gt", texture, 4, 5e-3),
    )
    for name, ours, stride, tolerance in checks:
        theirs = given[name][0].transpose(1, 2, 0)
        away = np.abs(ours[::stride, ::stride].numpy() - theirs).max(-1)
        assert (away[inner[:: stride // 2, :: stride // 2]] < tolerance).mean() > 0.995, name
    points, triangles, colours = model.dense(coarse, detail, texture)
    assert worst(points[::5], given["dense_verts"]) < 1e-5
    assert worst(np.floor(255 * colours[::5].numpy().clip(0, 1)), given["dense_colors"].astype(float)) <= 1
    assert int(triangles.max()) < len(points)


def _facing(model: Deca, codes: Codes) -> np.ndarray:
    normals = model.coarse(codes).normals
    return -model.landmarks.fixed().on(normals, model.flame.triangles)[0, :, 2].numpy()


def test_outline_in_the_crop(model: Deca) -> None:
    given = case("deca/decode_full")
    codes = codes_of(given)
    placed = projected(model.coarse(codes).vertices, codes.cam)[0]
    points = (placed + torch.tensor([1.0, 1.0, 0.0])) * torch.tensor([SIDE / 2, SIDE / 2, 1.0])
    shown = rasterise(points + torch.tensor([0.0, 0.0, 10.0]), model.flame.triangles, SIDE, SIDE).covered
    assert (shown.numpy()[::4, ::4] == (given["alpha"][0, 0] > 0)).mean() > 0.99


def test_light() -> None:
    given = case("deca/sh_shading")
    for normals, light, theirs in zip(given["normals"], given["light"], given["shading"], strict=True):
        ours = sh_shading(torch.from_numpy(normals.transpose(1, 2, 0).copy()), torch.from_numpy(light))
        assert worst(ours, theirs.transpose(1, 2, 0)) < 1e-5


def test_preprocessing() -> None:
    given = case("deca/preprocess")
    photo = given["image_rgb"]
    crops = {
        "kpt": (landmark_crop(given["kpt68"]), 2),
        "bbox": (box_crop(given["bbox"]), 4),
        "none": (whole_crop(photo.shape[1], photo.shape[0]), 4),
    }
    for name, (crop, stride) in crops.items():
        assert worst(crop.matrix, given[f"tform_{name}"]) < 1e-4, name
        assert worst(crop.cut(photo)[:, ::stride, ::stride], given[f"crop_{name}"]) < 2e-3, name


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("E_flame.encoder.layer3.2.bn2.running_var", None),
        ("E_detail.layers.2.weight", (127, 1024)),
        ("D_detail.conv_blocks.14.weight", (32, 64, 1, 1)),
    ],
)
def test_a_missing_or_misshaped_tensor_is_named(model: Deca, name: str, change: tuple[int, ...] | None) -> None:
    tensors = store.open_weights("deca").tensors("model/")
    if change is None:
        del tensors[name]
    else:
        tensors[name] = np.zeros(change, np.float32)
    fresh = Deca(model.flame, model.landmarks, model.assets)
    with pytest.raises(WeightsError, match=name.partition(".")[2].replace(".", r"\.")):
        fresh.load(tensors, "DECA")


def test_sources_are_remembered(model: Deca, tmp_path: Path) -> None:
    weights = store.open_weights("deca")
    assert list(weights.sources) == ["deca_model.tar"]
    assert len(weights.sources["deca_model.tar"]) == 64
