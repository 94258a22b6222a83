"""FFHQ-UV's map of the face alone: where it goes, what becomes of the map around it, and what is asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import save_file

from likeness.errors import WeightsError
from likeness.heads.base import HeadModel
from likeness.methods import ganfit_textures
from likeness.methods.ganfit_crop import FACE, LEFT, TOP, WHOLE, Surroundings
from likeness.methods.ganfit_layout import Layout
from likeness.networks import stylegan2
from likeness.progress import quiet
from likeness.weights import store


def pictures(side: int = 416) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    template = np.clip(rng.normal((180, 130, 110), 20, (side, side, 3)), 0, 255).astype(np.uint8)
    mask, hair = np.zeros((side, side), np.uint8), np.zeros((side, side), np.uint8)
    mask[side // 4 : side // 2, side // 3 : side * 2 // 3] = 255
    hair[: side // 10] = 255
    return template, mask, hair


def test_the_face_lies_where_it_belongs_and_the_map_around_takes_its_colours() -> None:
    template, mask, hair = pictures(WHOLE)
    around = Surroundings.of(template, mask, hair)
    face = torch.rand(3, FACE, FACE, generator=torch.Generator().manual_seed(0)) * 0.2 + torch.tensor(
        [0.3, 0.4, 0.5]
    ).reshape(3, 1, 1)
    whole = around.around(face)
    assert whole.shape == (3, WHOLE, WHOLE)
    inner = (slice(None), slice(500, 780), slice(640, 1000))
    wanted = face[:, 500 - TOP : 780 - TOP, 640 - LEFT : 1000 - LEFT]
    torch.testing.assert_close(whole[inner], wanted, atol=1e-4, rtol=0)
    flat = torch.from_numpy(template).permute(2, 0, 1) / 255
    torch.testing.assert_close(whole[:, :100], flat[:, :100], atol=1e-6, rtol=0)  # hair
    below = whole[:, 1300:].mean((1, 2))
    torch.testing.assert_close(below, wanted.mean((1, 2)), atol=0.01, rtol=0)
    assert abs(float(below[0] - flat[0, 1300:].mean())) > 0.2
    assert float(whole[:, 1300:].std()) > 0


def test_a_smaller_face_is_the_same_map_smaller() -> None:
    template, mask, hair = pictures(WHOLE)
    smooth = torch.nn.functional.interpolate(
        torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0)), (FACE, FACE), mode="bicubic"
    )[0].clamp(0, 1)
    small = torch.nn.functional.interpolate(smooth[None], (256, 256), mode="area")[0]
    large = Surroundings.of(template, mask, hair).around(smooth)
    whole = Surroundings.of(template, mask, hair, 256).around(small.requires_grad_())
    assert whole.shape == (3, 416, 416)
    wanted = torch.nn.functional.interpolate(large[None], (416, 416), mode="area")[0]
    assert float((whole.detach() - wanted)[:, 115:195, 160:255].abs().max()) < 0.02
    (grad,) = torch.autograd.grad(whole.sum(), small)
    assert float(grad[:, 100, 128].min()) > 0


def test_an_empty_mask_is_refused() -> None:
    template, mask, hair = pictures()
    with pytest.raises(WeightsError, match="black all over"):
        Surroundings.of(template, 0 * mask, hair)


def test_it_is_taken_with_its_template_and_asked_for_without(
    anny_head: HeadModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Small(stylegan2.Generator):
        def __init__(self) -> None:
            super().__init__(256, base=1024, most=16)

    steps = (torch.arange(16) + 0.5) / 8 - 1
    rows, columns = torch.meshgrid(steps, steps, indexing="ij")
    layout = Layout(torch.stack([columns, rows], -1), torch.ones(16, 16))
    monkeypatch.setattr(ganfit_textures.stylegan2, "Generator", Small)
    monkeypatch.setattr(Small, "statistics", lambda self: (torch.zeros(512), torch.ones(512)))
    monkeypatch.setattr(ganfit_textures, "layout_of", lambda *_: layout)
    monkeypatch.setenv("LIKENESS_HOME", str(tmp_path / "home"))
    name = "texgan_cropface630resize1024_ffhq_uv_interpolate.pth"
    torch.manual_seed(0)
    state = {f"face_generator/{key}": value.numpy() for key, value in Small().state_dict().items()}
    sources = [{"id": "face_generator", "name": name, "sha256": ""}]
    put("ffhq-uv", state, sources)
    put("ffhq-uv-mesh", {"mesh/v": np.zeros(3)}, [{"id": "mesh", "name": "mesh_head.obj", "sha256": ""}])
    with pytest.raises(WeightsError, match=r"template_base_uv\.png.*ffhq-uv-template"):
        ganfit_textures.choose(anny_head, 0, quiet)
    given = tmp_path / "topo_assets"
    given.mkdir()
    for file, picture in zip(("template_base_uv", "minor_valid_whole_mask", "hair_mask"), pictures(), strict=True):
        Image.fromarray(picture).save(given / f"{file}.png")
    store.install("ffhq-uv-template", given)
    chosen = ganfit_textures.choose(anny_head, 0, quiet)
    assert chosen.name == "ffhq-uv-face"
    assert chosen.source.startswith(f"user: {name}, mesh_head.obj, template_base_uv.png")
    assert any("non-commercial" in licence for licence in chosen.licences)
    (given / "hair_mask.png").unlink()
    with pytest.raises(WeightsError, match=r"hair_mask\.png could not be found"):
        store.install("ffhq-uv-template", given)


def put(name: str, tensors: dict[str, np.ndarray], sources: list[dict[str, str]]) -> None:
    """Lay an entry into the store without its official sizes."""
    import json

    store.path(name).parent.mkdir(parents=True, exist_ok=True)
    told = {"format": 1, "name": name, "title": name, "edition": "", "sources": sources, "tensors": {}}
    save_file(tensors, store.path(name), {"likeness": json.dumps(told)})
