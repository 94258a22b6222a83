"""ICT-FaceKit as a head: what it must be whoever uses it, and what may be wrong with its files."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from likeness.errors import HeadError
from likeness.heads import ict_source
from likeness.heads.base import REGION_MATERIALS, HeadModel
from likeness.heads.expressions import ARKIT
from likeness.heads.ict_source import IctFiles, pack_ict, read_ict
from likeness.progress import quiet


def posed(head: HeadModel, joint: str, turn: tuple[float, float, float]) -> torch.Tensor:
    pose = torch.zeros(1, len(head.joint_names), 3)
    pose[0, head.joint_names.index(joint)] = torch.tensor(turn)
    return head.forward(torch.zeros(1, len(head.identity)), torch.zeros(1, len(ARKIT)), pose)[0]


def vertices_of(head: HeadModel, *regions: str) -> torch.Tensor:
    return torch.unique(head.triangles[head.region(*regions)])


def delta(head: HeadModel, name: str) -> torch.Tensor:
    return head.expression[head.expression_names.index(name)]


def test_keeps_the_contract_of_heads(ict_head: HeadModel, anny_head: HeadModel) -> None:
    head = ict_head
    assert head.expression_names == ARKIT
    assert set(head.region_names) == set(REGION_MATERIALS)
    assert head.joint_names[:6] == ("root", "neck", "head", "jaw", "eye.L", "eye.R")
    assert head.identity.shape == (100, len(head.template), 3)
    assert torch.allclose(head.skin_weights.sum(1), torch.ones(len(head.template)), atol=1e-5)
    assert head.uv.min() >= 0
    assert head.uv.max() <= 1
    assert torch.unique(head.polygons[head.polygons >= 0]).tolist() == list(range(len(head.template)))
    assert set(head.groups) == set(anny_head.groups)
    for values in head.groups.values():
        assert 0 <= values.min() < values.max() <= 1
    low, high = (head.template[head.groups[name] > 0.9][:, 1] for name in ("rim", "scalp"))
    assert low.max() < 0 < 0.09 < high.min()
    # Metres, up along +Y, the face along +Z, the neck's base in the origin.
    assert 0.3 < (head.template.amax(0) - head.template.amin(0))[1] < 0.4
    assert head.joints[1].abs().max() < 1e-6
    assert head.joints[4, 0] > 0.02
    assert head.joints[4, 2] > 0.08


def test_sides_mirror_each_other(ict_head: HeadModel) -> None:
    mirror = ict_head.mirror
    assert torch.equal(mirror[mirror], torch.arange(len(mirror)))
    flipped = ict_head.template[mirror] * torch.tensor([-1.0, 1.0, 1.0])
    near = torch.ones(len(mirror), dtype=torch.bool)
    near[vertices_of(ict_head, "eye.L", "eye.R", "tongue", "gums")] = False  # not quite symmetric as published
    assert (flipped - ict_head.template)[near].norm(dim=1).max() < 1e-4
    left, right = vertices_of(ict_head, "eye.L"), vertices_of(ict_head, "eye.R")
    assert torch.equal(torch.sort(mirror[left])[0], right)


def test_identity_does_not_move_the_whole_head(ict_head: HeadModel) -> None:
    share = ict_head.groups["face"][:, None] / ict_head.groups["face"].sum()
    arms = ict_head.template - (share * ict_head.template).sum(0)
    shift = (share * ict_head.identity).sum(1)
    turn = (share * torch.linalg.cross(arms.expand_as(ict_head.identity), ict_head.identity)).sum(1)
    turn /= (share * arms.square()).sum()
    assert ict_head.identity.norm(dim=2).mean(1).max() > 2e-3
    assert shift.norm(dim=1).max() < 2e-6
    assert torch.rad2deg(turn.norm(dim=1)).max() < 1e-3


def test_lips_are_shut_whoever_it_is(ict_head: HeadModel) -> None:
    people = ict_head.shape(torch.randn(30, 100, generator=torch.Generator().manual_seed(2)))
    at = ict_head.landmarks["ibug68"].on(people, ict_head.triangles)
    gap = (at[:, [61, 62, 63], 1] - at[:, [67, 66, 65], 1]).mean(1)
    assert gap.abs().max() < 0.0005


def test_an_eye_turns_the_same_by_key_and_by_bone(ict_head: HeadModel) -> None:
    eye = vertices_of(ict_head, "eye.L")
    by_key = ict_head.template[eye] + delta(ict_head, "eyeLookUpLeft")[eye]
    by_bone = posed(ict_head, "eye.L", (-np.radians(20.0), 0.0, 0.0))[eye]
    assert (by_key - by_bone).norm(dim=1).max() < 3e-4
    front = ict_head.template[eye][:, 2].argmax()
    assert delta(ict_head, "eyeLookUpLeft")[eye][front, 1] > 0.004
    assert delta(ict_head, "eyeLookInLeft")[eye][front, 0] < -0.006
    assert delta(ict_head, "eyeLookOutRight")[vertices_of(ict_head, "eye.R")][:, 0].min() < -0.006
    assert delta(ict_head, "eyeLookUpRight")[eye].abs().max() == 0


def test_the_jaw_bone_opens_as_the_key_does(ict_head: HeadModel) -> None:
    teeth = vertices_of(ict_head, "teeth")
    lower = teeth[delta(ict_head, "jawOpen")[teeth].norm(dim=1) > 0.01]
    drop = delta(ict_head, "jawOpen")[lower]
    angles = torch.linspace(0.1, 0.6, 51)
    errors = [
        (posed(ict_head, "jaw", (float(a), 0, 0))[lower] - ict_head.template[lower] - drop).norm(dim=1).mean()
        for a in angles
    ]
    assert min(errors) < 0.002
    assert posed(ict_head, "jaw", (0.3, 0, 0))[vertices_of(ict_head, "eye.L")].sub(
        ict_head.template[vertices_of(ict_head, "eye.L")]
    ).norm(dim=1).max() < 1e-6  # fmt: skip


def test_the_tongue_comes_out_of_the_mouth(ict_head: HeadModel) -> None:
    out = delta(ict_head, "tongueOut")
    assert out[vertices_of(ict_head, "teeth", "eye.L", "eye.R")].abs().max() < 1e-5
    assert out[ict_head.groups["eyelids"] > 0.1].norm(dim=1).max() < 0.001, "lips give way, the upper face stays"
    tongue = ict_head.template[vertices_of(ict_head, "tongue")] + out[vertices_of(ict_head, "tongue")]
    lips = ict_head.template[ict_head.groups["lips"] > 0.5]
    assert tongue[:, 2].max() > lips[:, 2].max() + 0.008


@pytest.mark.parametrize("jaw", [0.4, 0.7, 1.0])
def test_the_tongue_passes_between_the_lips(ict_head: HeadModel, jaw: float) -> None:
    shape = ict_head.template + jaw * delta(ict_head, "jawOpen") + delta(ict_head, "tongueOut")
    lips = ict_head.landmarks["ibug68"].on(shape, ict_head.triangles).numpy()
    upper, lower = lips[[60, 61, 62, 63, 64]], lips[[60, 67, 66, 65, 64]]
    tongue = shape[vertices_of(ict_head, "tongue")].numpy()
    middle = tongue[(abs(tongue[:, 2] - lower[2, 2]) < 0.004) & (abs(tongue[:, 0]) < 0.008)]
    assert len(middle) > 5
    assert (middle[:, 1] < np.interp(middle[:, 0], upper[:, 0], upper[:, 1]) + 0.0005).all()
    assert (middle[:, 1] > np.interp(middle[:, 0], lower[:, 0], lower[:, 1]) - 0.0005).all()


def test_blinks_close_the_lids(ict_head: HeadModel) -> None:
    points = ict_head.landmarks["mediapipe478"]
    shut = ict_head.template + delta(ict_head, "eyeBlinkLeft")
    for vertices, low, high in ((ict_head.template, 0.006, 0.02), (shut, -0.002, 0.003)):
        at = points.on(vertices, ict_head.triangles)
        assert low < at[386, 1] - at[374, 1] < high


@pytest.mark.parametrize("damage", ["truncated", "text", "empty", "other"])
def test_a_damaged_file_is_told_in_one_sentence(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "ict.npz"
    if damage == "other":
        np.savez(path, neutral=np.zeros((5, 3)))
    elif damage == "truncated":
        np.savez(path, neutral=np.random.default_rng(0).random((999, 3)))
        path.write_bytes(path.read_bytes()[:5000])
    else:
        path.write_text("" if damage == "empty" else "not an archive")
    with pytest.raises(HeadError, match="ICT-FaceKit") as caught:
        read_ict(path, quiet)
    assert "\n" not in str(caught.value)


def test_another_edition_is_refused(tmp_path: Path, ict_facekit: Path) -> None:
    with np.load(ict_facekit) as data:
        arrays = {name: data[name] for name in data.files}
    arrays["identity"] = arrays["identity"][:50]
    arrays["expression"] = arrays["expression"][:, :10]
    np.savez(tmp_path / "ict.npz", **arrays)
    with pytest.raises(HeadError, match="another edition"):
        read_ict(tmp_path / "ict.npz", quiet)


def test_reads_the_public_repository(tmp_path: Path, ict_facekit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = read_ict(ict_facekit, quiet)
    names = ("jawOpen", "eyeBlink_L")
    monkeypatch.setattr(ict_source, "MODES", 2)
    monkeypatch.setattr(ict_source, "EXPRESSIONS", names)
    write_repository(tmp_path / "ICT-FaceKit-master", packed, names)
    with zipfile.ZipFile(tmp_path / "ICT-FaceKit-master.zip", "w") as archive:
        for path in (tmp_path / "ICT-FaceKit-master").rglob("*.*"):
            archive.write(path, path.relative_to(tmp_path))
    for source in ("ICT-FaceKit-master", "ICT-FaceKit-master.zip"):
        files = read_ict(tmp_path / source, quiet)
        assert np.abs(files.vertices - packed.vertices).max() < 1e-4
        assert np.abs(files.identity - packed.identity[:2]).max() < 1e-3
        assert np.abs(files.expression["jawOpen"] - packed.expression["jawOpen"]).max() < 1e-3
        assert (files.polygons == packed.polygons).all()
        assert (files.polygons_uv == packed.polygons_uv).all()
        assert (files.points68 == packed.points68).all()
    (tmp_path / "ICT-FaceKit-master/FaceXModel/identity001.obj").unlink()
    with pytest.raises(HeadError, match="download it again"):
        read_ict(tmp_path / "ICT-FaceKit-master", quiet)


def write_repository(folder: Path, files: IctFiles, names: tuple[str, ...]) -> None:
    (folder / "FaceXModel").mkdir(parents=True)

    def write(name: str, vertices: np.ndarray, rest: str = "") -> None:
        lines = "\n".join(f"v {x:.5f} {y:.5f} {z:.5f}" for x, y, z in vertices.tolist())
        (folder / "FaceXModel" / f"{name}.obj").write_text(f"{lines}\n{rest}")

    faces = "\n".join(
        "f " + " ".join(f"{v + 1}/{t + 1}/1" for v, t in zip(vs, ts, strict=True) if v >= 0)
        for vs, ts in zip(files.polygons.tolist(), files.polygons_uv.tolist(), strict=True)
    )
    uv = "\n".join(f"vt {u:.6f} {v:.6f}" for u, v in files.uv.tolist())
    write("generic_neutral_mesh", files.vertices, f"{uv}\nvn 0 0 1\n{faces}\n")
    for i in range(2):
        write(f"identity{i:03d}", files.vertices + files.identity[i])
    for name in names:
        write(name, files.vertices + files.expression[name])
    index = json.dumps({"idx_to_landmark_verts": files.points68.tolist()})
    (folder / "FaceXModel" / "vertex_indices.json").write_text(index)


def test_packing_keeps_the_files(tmp_path: Path, ict_facekit: Path) -> None:
    files = read_ict(ict_facekit, quiet)
    pack_ict(files, tmp_path / "again.npz")
    again = read_ict(tmp_path / "again.npz", quiet)
    assert np.abs(again.identity - files.identity).max() == 0
    assert (again.polygons == files.polygons).all()
    assert (again.points68 == files.points68).all()
