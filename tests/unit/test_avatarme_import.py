"""Maps of others reach an avatar: in its own UVs number for number, in another mesh's through the shared surface."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from likeness import package
from likeness.assemble import assemble
from likeness.avatar import Avatar, Map, Material
from likeness.cli import main
from likeness.errors import MethodError, PhotoError
from likeness.heads.base import HeadModel
from likeness.maps import foreign, imported
from likeness.maps.atlas import atlas_of
from likeness.maps.imported import LICENCE, Given, with_imported
from likeness.maps.scattered import decoded, encoded, relief_of, scattered
from likeness.maps.tangents import frames_of, object_normals
from likeness.methods.base import Reconstruction
from likeness.methods.open import Open
from likeness.progress import Progress
from likeness.scan import Scan

Floats = NDArray[np.float32]
SIDE = 256


@pytest.fixture(scope="module")
def avatar(anny_head: HeadModel) -> Avatar:
    flat = np.full((SIDE, SIDE, 3), (128, 128, 255), np.uint8)
    skin = Material(
        {
            "albedo": Map(np.full((SIDE, SIDE, 3), (180, 140, 120), np.uint8), "srgb"),
            "specular": Map(np.full((SIDE, SIDE), 100, np.uint8), "linear"),
            "normal": Map(flat, "linear"),
        }
    )
    materials = {"Skin": skin, "Eye": Material(), "Lashes": Material(), "Teeth": Material(), "Tongue": Material()}
    shape = anny_head.template.float().numpy()
    joints = anny_head.joints_of(torch.zeros(1, len(anny_head.identity)))[0].float().numpy()
    made = Reconstruction("open", anny_head, None, shape, joints, ())
    used = {name: materials.get(name, Material()) for name in assemble_names(anny_head)}
    return assemble("given", made, used, (), Open)


def assemble_names(head: HeadModel) -> set[str]:
    from likeness.heads.base import REGION_MATERIALS

    return {REGION_MATERIALS[region] for region in head.region_names}


def saved(path: Path, pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> Path:
    assert cv2.imwrite(str(path), pixels if pixels.ndim == 2 else pixels[..., ::-1])
    return path


def waves(head: HeadModel) -> Floats:
    """(V, 3) colours in 0..1 that tell where on the head a vertex is."""
    p = head.template.float().numpy()
    return (0.5 + 0.4 * np.sin(p * 40)).astype(np.float32)


def test_in_the_same_uvs_maps_are_taken_as_they_are(avatar: Avatar, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    colour = random.integers(0, 255, (SIDE, SIDE, 3), np.uint8)
    shine = random.integers(60, 90, (SIDE, SIDE), np.uint8)
    bent = np.dstack([random.normal(0, 0.2, (SIDE, SIDE, 2)), np.ones((SIDE, SIDE))])
    normals = encoded((bent / np.linalg.norm(bent, axis=2, keepdims=True)).astype(np.float32))
    given = Given(
        saved(tmp_path / "d.png", colour),
        saved(tmp_path / "s.png", shine),
        saved(tmp_path / "n.png", normals),
        space="tangent",
    )
    made = with_imported(avatar, given)
    skin, inside = made.materials["Skin"], atlas_of_avatar(avatar)
    np.testing.assert_array_equal(skin.maps["albedo"].pixels[inside], colour[inside])
    np.testing.assert_array_equal(skin.maps["specular"].pixels[inside], shine[inside])
    assert skin.values["specular_mean"] == pytest.approx(shine[inside].mean() / 255, abs=0.01)
    back = decoded(skin.maps["normal"].pixels)[inside]
    np.testing.assert_allclose(back, decoded(normals)[inside], atol=0.02)
    softer = abs(decoded(skin.maps["normal.diffuse"].pixels)[inside][:, :2]).mean()
    assert softer < 0.85 * abs(back[:, :2]).mean()
    assert skin.maps["displacement"].pixels.std() > 0
    told = made.provenance["details"]["providers"]
    assert told["albedo"] == "user: file d.png"
    assert told["normal"] == "user: file n.png"
    assert LICENCE in made.provenance["licences"]
    assert avatar.materials["Skin"].maps["albedo"].pixels[0, 0, 0] == 180, "the avatar given is not changed"
    package.save(made, tmp_path / "made.likeness")


def atlas_of_avatar(avatar: Avatar) -> NDArray[np.bool_]:
    from likeness.heads.library import open_head

    inside: NDArray[np.bool_] = cv2.erode(
        atlas_of(open_head(avatar.head), "Skin", SIDE).inside.astype(np.uint8), np.ones((9, 9), np.uint8)
    ).astype(bool)
    return inside


def test_added_and_object_normals_become_tangent_ones(avatar: Avatar, anny_head: HeadModel, tmp_path: Path) -> None:
    """The smooth surface's own normals are flat in tangent space; so are added ones of nothing."""
    inside = atlas_of_avatar(avatar)
    mine = anny_head.region("skin")
    normal = frames_of(
        avatar.vertices,
        anny_head.triangles[mine].numpy(),
        avatar.uv,
        anny_head.triangles_uv[mine].numpy(),
        SIDE,
    ).normal
    given = Given(
        normals=saved(tmp_path / "added.png", np.full((SIDE, SIDE, 3), (32768, 32768, 65535), np.uint16)),
        diffuse_normals=saved(tmp_path / "object.png", encoded(normal)),
    )
    skin = with_imported(avatar, given).materials["Skin"].maps
    for channel in ("normal", "normal.diffuse"):
        z = decoded(skin[channel].pixels)[inside][:, 2]
        assert np.percentile(z, 1) > 0.99, channel
    # x added is a lean to the head's left: over the face, whose u grows that way, to the right of the map.
    lean = np.full((SIDE, SIDE, 3), (32768 + 6554, 32768, 65535), np.uint16)
    skin = with_imported(avatar, Given(normals=saved(tmp_path / "lean.png", lean))).materials["Skin"].maps
    middle = decoded(skin["normal"].pixels)[100:130, 120:136]
    assert middle[..., 0].mean() == pytest.approx(0.2, abs=0.06)
    assert abs(middle[..., 1].mean()) < 0.05


def test_spaces_agree() -> None:
    vertices = np.array([[0, 0, 0], [1, 0, 0.3], [1, 1, 0.1], [0, 1, -0.2]], np.float32)
    triangles = np.array([[0, 1, 2], [0, 2, 3]])
    uv = np.array([[0, 0], [0, 1], [1, 1], [1, 0]], np.float32)  # u and v swapped: the map is mirrored
    frames = frames_of(vertices, triangles, uv, triangles, 16)
    assert frames.inside.all()
    lengths = [(a * b).sum(-1) for a, b in ((frames.normal, frames.tangent), (frames.tangent, frames.bitangent))]
    np.testing.assert_allclose(lengths, 0, atol=1e-3)
    assert frames.tangent[..., 1].min() > 0.8, "u runs along y here"
    assert frames.bitangent[..., 0].min() > 0.8, "v runs along x here"
    bent = np.zeros((16, 16, 3), np.float32) + np.array([0.3, -0.2, 0.93], np.float32)
    bent /= np.linalg.norm(bent[0, 0])
    there = object_normals(bent, "tangent", frames)
    np.testing.assert_allclose(frames.to_tangent(there), bent, atol=2e-3)
    np.testing.assert_allclose(frames.to_tangent(object_normals(there, "object", frames)), bent, atol=2e-3)
    added = (there / there[..., 2:]) - frames.normal / frames.normal[..., 2:]
    assert np.isfinite(object_normals(added, "added", frames)).all()


def test_normals_have_their_relief_back() -> None:
    y, x = np.mgrid[:256, :256]
    texel, tall = 0.0001, 0.00003
    height = tall * np.sin(x / 256 * 2 * np.pi * 16) * np.sin(y / 256 * 2 * np.pi * 12)
    across, down = (np.roll(height, -1, k) - np.roll(height, 1, k) for k in (1, 0))
    slopes = np.stack([-across / (2 * texel), down / (2 * texel), np.ones_like(height)], -1)
    codes = encoded((slopes / np.linalg.norm(slopes, axis=2, keepdims=True)).astype(np.float32))
    found = relief_of(codes, np.full((256, 256), texel, np.float32), np.ones((256, 256), bool))
    assert np.corrcoef(found.ravel(), height.ravel())[0, 1] > 0.99
    assert found.std() == pytest.approx(height.std(), rel=0.1)


def test_red_light_goes_farthest() -> None:
    bent = np.dstack([np.random.default_rng(0).normal(0, 0.3, (128, 128, 2)), np.ones((128, 128))])
    codes = encoded((bent / np.linalg.norm(bent, axis=2, keepdims=True)).astype(np.float32))
    left = [float(decoded(scattered(codes, 0.0003, np.eye(3, dtype=np.float32)[k]))[..., :2].std()) for k in range(3)]
    assert left[0] < 0.5 * left[1] < 0.5 * left[2] < 0.5 * decoded(codes)[..., :2].std()


@pytest.fixture(scope="module")
def theirs(anny_head: HeadModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same head as another program has it: in millimetres, elsewhere, seen round an axis, unwrapped otherwise."""
    folder = tmp_path_factory.mktemp("theirs")
    head, mine = anny_head, anny_head.region("skin")
    vertices = head.template.double().numpy()
    triangles = head.triangles[mine].numpy()
    turn = np.arctan2(vertices[:, 0], vertices[:, 2] + 0.02) / (2 * np.pi) + 0.5  # the seam is behind
    low, high = vertices[:, 1].min(), vertices[:, 1].max()
    uv = np.stack([turn, (vertices[:, 1] - low) / (high - low)], 1)
    kept = np.ptp(turn[triangles], axis=1) < 0.5
    lines = [f"v {x:.4f} {y:.4f} {z:.4f}" for x, y, z in vertices * 1000 + (30, -500, 12)]
    lines += [f"vt {u:.6f} {v:.6f}" for u, v in uv]
    lines += ["f " + " ".join(f"{i + 1}/{i + 1}" for i in row) for row in triangles[kept]]
    (folder / "theirs.obj").write_text("\n".join(lines) + "\n")
    drawn = draw(uv.astype(np.float32), triangles[kept], waves(head), 512)
    saved(folder / "diffuse.png", np.rint(drawn * 255).astype(np.uint8))
    return folder


def draw(uv: Floats, triangles: NDArray[np.int64], values: Floats, size: int) -> Floats:
    from likeness.render.raster import interpolate, rasterise_uv

    raster = rasterise_uv(torch.from_numpy(uv), torch.from_numpy(triangles), size)
    return interpolate(torch.from_numpy(values), torch.from_numpy(triangles), raster).numpy()


def test_another_topologys_maps_lie_where_they_belong(
    avatar: Avatar, anny_head: HeadModel, theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Laying heads onto meshes is tested elsewhere: here it is known how the head lies."""

    def known(head: HeadModel, scan: Scan, progress: Progress) -> foreign.Correspondence:
        there = head.template.double().numpy() + np.array((30, -500, 12)) / 1000
        return foreign.looked_up(head, there, np.eye(3), foreign.parted(replace(scan, vertices=scan.vertices / 1000)))

    monkeypatch.setattr(imported, "corresponding", known)
    monkeypatch.setattr(foreign, "SIDE", 192)
    flat = saved(theirs / "flat.png", np.full((64, 64, 3), (32768, 32768, 65535), np.uint16))
    made = with_imported(avatar, Given(theirs / "diffuse.png", normals=flat, mesh=theirs / "theirs.obj"))
    albedo = made.materials["Skin"].maps["albedo"].pixels / 255
    expected = atlas_of(anny_head, "Skin", SIDE).texels(waves(anny_head))
    face = atlas_of(anny_head, "Skin", SIDE).texels(anny_head.groups["face"].float().numpy()) > 0.9
    face = cv2.erode(face.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    off = np.abs(albedo - expected).max(-1)[face]
    assert np.median(off) < 0.03
    assert np.percentile(off, 75) < 0.05, "nostrils and lips overlap in the other UVs, so not all can be right"
    z = decoded(made.materials["Skin"].maps["normal"].pixels)[face][:, 2]
    assert np.percentile(z, 5) > 0.98, "what is flat there is flat here"


def test_the_command(avatar: Avatar, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    package.save(avatar, tmp_path / "old.likeness")
    red = saved(tmp_path / "red.png", np.full((64, 96, 3), (200, 60, 50), np.uint8))
    command = ["maps", str(tmp_path / "old.likeness"), "-o", str(tmp_path / "new.likeness")]
    assert main([*command, "--diffuse", str(red), "--texture-size", "300"]) == 0
    albedo = package.load(tmp_path / "new.likeness").materials["Skin"].maps["albedo"].pixels
    assert albedo.shape == (300, 300, 3)
    assert tuple(albedo[100, 150]) == (200, 60, 50)
    capsys.readouterr()
    assert main([*command, "--diffuse", str(red)]) == 2
    assert "exists already" in capsys.readouterr().err
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"\x89PNG\r\n\x1a\nnonsense that goes on for a while")
    obj = tmp_path / "plain.obj"
    rows = [f"v {i % 20} {i // 20} 0" for i in range(400)]
    obj.write_text("\n".join(rows + [f"f {i + 1} {i + 2} {i + 21}" for i in range(379)]) + "\n")
    for extra, said in (
        ([], "No map was given"),
        (["--diffuse", str(bad)], "bad.png is no map that can be read"),
        (["--diffuse", str(tmp_path / "nowhere.png")], "cannot be read"),
        (["--diffuse", str(red), "--mesh", str(obj)], "no UVs"),
    ):
        assert main([*command, "--overwrite", *extra]) == 2
        *steps, error = capsys.readouterr().err.strip().splitlines()
        assert said in error
        assert not any("Traceback" in step for step in steps)
    assert package.load(tmp_path / "new.likeness").materials["Skin"].maps["albedo"].pixels.shape == (300, 300, 3)


def test_an_avatar_without_skin_is_told(avatar: Avatar, tmp_path: Path) -> None:
    bare = replace(avatar, materials={**avatar.materials, "Skin": Material()})
    red = saved(tmp_path / "red.png", np.full((64, 96, 3), (200, 60, 50), np.uint8))
    with pytest.raises(MethodError, match="no skin with an albedo"):
        with_imported(bare, Given(red))
    cut = tmp_path / "cut.png"
    cut.write_bytes(red.read_bytes()[:120])
    with pytest.raises(PhotoError, match=r"cut\.png"):
        with_imported(avatar, Given(cut))
