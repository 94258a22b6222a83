"""AvatarMe: networks of the user's in the public layouts, stages with and without them, and who made which map."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from likeness import faces, maps, photos
from likeness.assemble import assemble
from likeness.errors import MethodError, WeightsError
from likeness.faces.face import Face
from likeness.heads.base import HeadModel
from likeness.licences import is_permissive
from likeness.maps import delight
from likeness.methods import avatarme_open, avatarme_stages, registry
from likeness.methods.avatarme_networks import SLOTS, installed_networks
from likeness.methods.avatarme_stages import detailed
from likeness.methods.avatarme_texture import from_srgb
from likeness.methods.base import Reconstruction, Settings
from likeness.networks.delight import DelightNet
from likeness.networks.pix2pixhd import GlobalGenerator, LocalEnhancer, translator_of
from likeness.networks.rcan import RCAN, rcan_of
from likeness.progress import quiet
from likeness.weights import store

SMALL = Settings(head="anny", texture_size=256)


def tensors(network: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in network.state_dict().items()}


def small_rcan() -> RCAN:
    torch.manual_seed(0)
    return RCAN(features=8, groups=2, blocks=2, squeezed=2, steps=(2, 2, 2))


@pytest.mark.parametrize(
    "network",
    [
        GlobalGenerator(4, 3, 4, halvings=2, blocks=9),
        LocalEnhancer(6, 1, 4, halvings=2, blocks=9, local_blocks=3),
        LocalEnhancer(3, 3, 2, halvings=1, blocks=2, local_blocks=1, enhancers=2),
        GlobalGenerator(3, 3, 4, halvings=1, blocks=2, batch=True),
    ],
    ids=["global", "enhanced", "twice", "batch"],
)
def test_a_translator_is_known_by_its_tensors(network: GlobalGenerator | LocalEnhancer) -> None:
    again = translator_of(tensors(network), "made.pth")
    assert (again.inputs, again.outputs, again.multiple) == (network.inputs, network.outputs, network.multiple)
    picture = torch.rand(1, network.inputs, 32, 64) * 2 - 1
    made = again(picture)
    assert made.shape == (1, network.outputs, 32, 64)
    assert float(made.abs().max()) <= 1
    torch.testing.assert_close(made, network.eval()(picture))


def test_the_public_names_are_kept() -> None:
    enhanced, plain = LocalEnhancer(3, 3, features=2), GlobalGenerator(3, 3, features=2)
    rcan = RCAN(features=8, groups=2, blocks=3, steps=(2, 2, 2))
    names = set(enhanced.state_dict())
    assert {"model.1.weight", "model.4.bias", "model.16.conv_block.1.weight", "model.24.conv_block.5.bias"} <= names
    assert {"model.34.weight", "model1_1.1.weight", "model1_1.4.weight", "model1_2.2.conv_block.5.weight"} <= names
    assert {"model1_2.3.weight", "model1_2.7.bias"} <= names
    assert "model.38.weight" in plain.state_dict()
    names = set(rcan.state_dict())
    assert {
        "sub_mean.weight",
        "head.0.bias",
        "body.1.body.2.body.3.conv_du.2.weight",
        "body.1.body.3.weight",
    } <= names
    assert {"body.2.weight", "tail.0.4.weight", "tail.1.bias", "add_mean.bias"} <= names


def test_rcan_makes_crops_eight_times_as_large() -> None:
    network = small_rcan()
    again = rcan_of(tensors(network), "made.pt")
    assert again.scale == 8
    crop = torch.rand(1, 3, 48, 48)
    assert again(crop).shape == (1, 3, 384, 384)
    torch.testing.assert_close(again(crop), network.eval()(crop))
    # Without a word of its last layer it gives the mean that it took off.
    torch.nn.init.zeros_(again.tail[1].weight)
    torch.nn.init.zeros_(again.tail[1].bias)
    torch.testing.assert_close(again(crop).mean((0, 2, 3)), torch.tensor([0.4488, 0.4371, 0.4040]))


def test_what_does_not_fit_is_named() -> None:
    made = tensors(small_rcan())
    without = {n: v for n, v in made.items() if n != "body.1.body.0.body.2.bias"}
    with pytest.raises(WeightsError, match=r"lacks body\.1\.body\.0\.body\.2\.bias"):
        rcan_of(without, "made.pt")
    with pytest.raises(WeightsError, match=r"body\.2\.weight has shape \(8, 8, 1, 1\) where \(8, 8, 3, 3\) is needed"):
        rcan_of(made | {"body.2.weight": np.zeros((8, 8, 1, 1), np.float32)}, "made.pt")
    with pytest.raises(WeightsError, match="no checkpoint of RCAN"):
        rcan_of({}, "made.pt")
    made = tensors(LocalEnhancer(3, 3, 4, halvings=2, blocks=2))
    with pytest.raises(WeightsError, match=r"lacks model1_2\.0\.conv_block\.5\.weight"):
        translator_of({n: v for n, v in made.items() if n != "model1_2.0.conv_block.5.weight"}, "made.pth")
    with pytest.raises(WeightsError, match=r"model\.4\.weight has shape"):
        translator_of(made | {"model.4.weight": np.zeros((3, 3, 3, 3), np.float32)}, "made.pth")
    with pytest.raises(WeightsError, match=r"holds netE\.weight, which this network does not know"):
        translator_of(made | {"netE.weight": np.zeros(3, np.float32)}, "made.pth")
    with pytest.raises(WeightsError, match=r"lacks model\.1\.weight; it is no checkpoint of a generator"):
        translator_of({"fc.weight": np.zeros((3, 3), np.float32)}, "made.pth")


# The method on a photo


@pytest.fixture(scope="module")
def face(astronaut: Path, anny_head: HeadModel) -> Face:
    return faces.find(photos.load(astronaut))


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place of this test's own for the networks of AvatarMe's slots."""
    real = store.path

    def path(name: str) -> Path:
        return tmp_path / f"{name}.safetensors" if name.startswith("avatarme-") else real(name)

    monkeypatch.setattr(store, "path", path)
    return tmp_path


def put(folder: Path, slot: str, network: torch.nn.Module) -> None:
    file = folder / "mine.pth"
    torch.save({"state_dict": {f"module.{name}": value for name, value in network.state_dict().items()}}, file)
    store.install(SLOTS[slot].entry, file)


def made_of(face: Face, settings: Settings) -> tuple[Reconstruction, maps.Maps]:
    reconstruction = registry.find_method("avatarme")().reconstruct([face], settings, quiet)
    return reconstruction, maps.make(reconstruction, settings, quiet)


def test_with_nothing_installed_our_own_maps_do_every_stage(face: Face, own: Path) -> None:
    assert registry.status(registry.find_method("avatarme")) == "ready"
    reconstruction, made = made_of(face, SMALL)
    skin = made.materials["Skin"].maps
    assert {"albedo", "specular", "normal", "normal.diffuse", "displacement"} <= set(skin)
    told = dict(reconstruction.details["providers"])
    assert told.pop("albedo").startswith("open weights: ")
    assert all(provider.startswith("free: ") for provider in told.values())
    assert set(told) == {"texture", "specular", "normal", "normal.diffuse", "displacement"}

    def bend(channel: str) -> float:
        pixels = skin[channel].pixels
        return float(abs(pixels[..., :2] / np.iinfo(pixels.dtype).max - 0.5).mean())

    assert bend("normal.diffuse") < 0.8 * bend("normal")
    avatar = assemble("free", reconstruction, made.materials, made.lights)
    assert all(is_permissive(licence) for licence in avatar.provenance["licences"])
    assert avatar.provenance["details"]["providers"] == reconstruction.details["providers"]
    assert avatar.provenance["method"]["name"] == "avatarme"


def test_larger_maps_are_enlarged_with_grain(face: Face, own: Path) -> None:
    reconstruction, made = made_of(face, Settings(head="anny", texture_size=256, fine_size=600))
    skin = made.materials["Skin"].maps
    assert skin["albedo"].pixels.shape == skin["normal"].pixels.shape == (600, 600, 3)
    assert skin["normal.diffuse"].pixels.shape == (600, 600, 3)
    assert "synthetic grain" in reconstruction.details["providers"]["albedo"]
    with pytest.raises(MethodError, match="from the texture size to 6144"):
        made_of(face, Settings(head="anny", texture_size=512, fine_size=256))


def test_networks_of_the_user_do_their_stages(face: Face, own: Path) -> None:
    torch.manual_seed(1)
    put(own, "super-resolution", small_rcan())
    put(own, "de-lighting", LocalEnhancer(7, 3, 4, halvings=2, blocks=2, local_blocks=1))
    put(own, "specular albedo", GlobalGenerator(3, 1, 4, halvings=2, blocks=2))
    put(own, "specular normals", GlobalGenerator(4, 3, 4, halvings=2, blocks=2))
    put(own, "diffuse normals", GlobalGenerator(4, 3, 4, halvings=2, blocks=2))
    reconstruction, made = made_of(face, Settings(head="anny", texture_size=256, fine_size=320))
    told = reconstruction.details["providers"]
    for channel, slot in (
        ("texture", "super-resolution"),
        ("albedo", "de-lighting"),
        ("specular", "specular-albedo"),
        ("normal", "specular-normals"),
        ("normal.diffuse", "diffuse-normals"),
    ):
        assert told[channel].startswith(f"user: avatarme-{slot}, sha256 "), channel
    skin = made.materials["Skin"]
    assert skin.maps["albedo"].pixels.shape == (320, 320, 3)
    assert skin.maps["specular"].pixels.shape == (320, 320)
    assert skin.values["specular_mean"] == pytest.approx(0.5, abs=0.2)
    for channel in ("normal", "normal.diffuse"):
        normals = skin.maps[channel].pixels.astype(np.float64) / 32767.5 - 1
        np.testing.assert_allclose(np.linalg.norm(normals, axis=2), 1, atol=1e-3)
        assert normals[..., 2].min() > 0
    avatar = assemble("mine", reconstruction, made.materials, made.lights)
    assert avatar.provenance["licences"][0] == "as the user's file's"


def test_a_texture_that_is_only_enlarged_adds_its_detail_to_our_albedo() -> None:
    random = np.random.default_rng(0)
    albedo, low = (np.full((64, 64, 3), code, np.uint8) for code in (180, 120))
    plain = np.full((256, 256, 3), 120, np.uint8)
    np.testing.assert_array_equal(detailed(albedo, low, plain), 180)
    made = detailed(albedo, low, plain + random.integers(0, 20, plain.shape, np.uint8))
    brighter = (from_srgb(np.uint8([130])) / from_srgb(np.uint8([120])))[0]
    assert from_srgb(made).mean() == pytest.approx(brighter * float(from_srgb(albedo).mean()), rel=0.02)


def test_open_weights_look_over_our_albedo(face: Face, own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are named as the provider; a network that finds nothing leaves the albedo as it is."""
    with monkeypatch.context() as none:
        none.setattr(avatarme_stages, "open_weights_there", lambda: False)
        reconstruction, made = made_of(face, SMALL)
    assert reconstruction.details["providers"]["albedo"].startswith("free: ")
    plain = made.materials["Skin"].maps["albedo"].pixels.astype(int)
    torch.manual_seed(0)
    network = DelightNet((8, 8, 8, 8))
    file = own / "delight.safetensors"
    monkeypatch.setattr(delight, "own_weights", lambda: file)
    monkeypatch.setattr(avatarme_open, "own_weights", lambda: file)
    for spread in (0.0, 0.5):
        torch.nn.init.normal_(network.leave.weight, std=spread)
        network.save(file, {})
        reconstruction, made = made_of(face, SMALL)
        change = abs(made.materials["Skin"].maps["albedo"].pixels.astype(int) - plain)
        assert (change.max() <= 1) == (spread == 0)
        assert reconstruction.details["providers"]["albedo"].startswith("open weights: ")


def test_a_network_of_other_channels_is_refused(own: Path) -> None:
    put(own, "specular normals", GlobalGenerator(3, 3, 4, halvings=1, blocks=2))
    with pytest.raises(WeightsError, match="avatarme-specular-normals takes 3 channels where 4 or 6 are needed"):
        installed_networks()
    put(own, "specular normals", GlobalGenerator(4, 2, 4, halvings=1, blocks=2))
    with pytest.raises(WeightsError, match="avatarme-specular-normals gives 2 channels where 3 are needed"):
        installed_networks()
    store.path("avatarme-specular-normals").unlink()
    assert not installed_networks().told


def test_a_checkpoint_of_something_else_is_not_installed(own: Path) -> None:
    file = own / "other.pth"
    torch.save({"fc.weight": torch.zeros(3, 3)}, file)
    with pytest.raises(WeightsError, match=r"lacks model\.1\.weight"):
        store.install("avatarme-de-lighting", file)
    assert not store.installed("avatarme-de-lighting")
