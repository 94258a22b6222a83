"""3DDFA_V2's landmarks on AFLW2000-3D: ``aflw2000.py DIR [--weights FOLDER] [--basis FILES]``.

DIR holds what 3DDFA and 2DASL evaluate with, as ``test_codes`` of github.com/XgTu/2DASL does: ``test.configs`` (true
landmarks, original and re-annotated, yaws, regions) and ``test.data/AFLW2000-3D_crop`` (2,000 crops of 120 pixels). The
68 landmarks come two ways: from the checkpoint's own head, which needs no shape model, and from the 62 parameters
through the Basel Face Model, where that is installed or its basis at the landmarks is given.

Printed are the errors in percent of the box's side for yaws up to 30, 60 and 90 degrees, and their mean, against both
annotations. The published comparison leaves out the two images that ``AFLW1998-3D_crop.list`` lacks: so does the
second line of each, where that list is there.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.heads.bfm import Bfm
from likeness.heads.bfm_files import open_bfm
from likeness.methods.tddfa_crops import SIDE
from likeness.methods.tddfa_model import Parameters, Regressor, in_photo
from likeness.methods.tddfa_v2 import MODEL, REGRESSORS, WEIGHTS
from likeness.weights import store
from likeness.weights.readers import numpy_file, plain, tables, torch_file
from nme import by_yaw, normalised_error

__all__ = ["landmarks_by_head", "landmarks_by_model", "main"]

Floats = NDArray[np.float32]
BATCH = 100


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--weights", type=Path, help="3DDFA_V2's published files; the installed ones when left out")
    parser.add_argument(
        "--basis",
        type=Path,
        help="the Basel basis at the landmarks: a folder with 3DDFA's u_base.txt, w_shp_base.txt and w_exp_base.txt "
        "(c++/weights there), or an npz of the same names; the installed model when left out",
    )
    a = parser.parse_args()
    data = a.folder / "test.data"
    every = _lines(data / "AFLW2000-3D_crop.list")
    fewer = _lines(data / "AFLW1998-3D_crop.list") if (data / "AFLW1998-3D_crop.list").exists() else []
    name, regressor, (mean, std) = _regressor(a.weights)
    read = [regressor.raw(part) for part in _crops(data / "AFLW2000-3D_crop", every)]
    flat = np.concatenate([parameters for parameters, _ in read]) * std + mean
    rois = np.load(a.folder / "test.configs" / "AFLW2000-3D_crop.roi_box.npy")
    model = _model(a.basis)

    rows: list[tuple[str, NDArray[Any]]] = []
    if all(own is not None for _, own in read):
        own = np.concatenate([own for _, own in read if own is not None])
        rows.append((f"{name}, its own head", landmarks_by_head(own, rois)))
    if model is not None:
        rows.append((f"{name}, Basel model", landmarks_by_model(model, flat, rois)))
    _print(a.folder / "test.configs", every, fewer, rows)


def landmarks_by_head(raw: Floats, rois: Floats) -> Floats:
    """(N, 2, 68) in the photo from the landmark head's numbers (N, 2, 68) and regions (N, 4)."""
    low, side = rois[:, :2, None], (rois[:, 2:] - rois[:, :2])[:, :, None] / SIDE
    placed: Floats = (SIDE / 2 * (raw + 1) * side + low).astype(np.float32)
    return placed


def landmarks_by_model(model: Bfm, flat: Floats, rois: Floats) -> Floats:
    """(N, 2, 68) in the photo from parameters (N, 62) and regions (N, 4)."""
    found = []
    for row, roi in zip(flat.astype(np.float32), rois, strict=True):
        p = Parameters.of(row)
        vertices = model.vertices(p.shape, p.expression, model.keypoints)
        points = p.affine[:, :3] @ vertices.T + p.affine[:, 3:]
        found.append(in_photo(points, tuple(float(v) for v in roi))[:2])
    return np.stack(found)


def _print(configs: Path, every: list[str], fewer: list[str], rows: list[tuple[str, NDArray[Any]]]) -> None:
    yaws = np.load(configs / "AFLW2000-3D.pose.npy")
    annotations = {
        "original": np.load(configs / "AFLW2000-3D.pts68.npy"),
        "re-annotated": np.load(configs / "AFLW2000-3D-Reannotated.pts68.npy"),
    }
    print(f"{'':28}{'images':>7}  {'annotation':14}{'<=30':>6}{'<=60':>7}{'>60':>7}{'mean':>7}")
    for name, found in rows:
        for images in filter(None, (every, fewer)):
            at = [every.index(image) for image in images]
            for annotation, true in annotations.items():
                errors = by_yaw(normalised_error(found[at], true[at]), yaws[at])
                numbers = "".join(f"{100 * error:7.2f}" for error in errors)
                print(f"{name:28}{len(images):7}  {annotation:13}{numbers}")


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").split()


def _crops(folder: Path, names: list[str]) -> Iterator[NDArray[np.uint8]]:
    for start in range(0, len(names), BATCH):
        yield np.stack([_crop(folder / name) for name in names[start : start + BATCH]])


def _crop(path: Path) -> NDArray[np.uint8]:
    picture = cv2.imread(str(path))
    if picture is None or picture.shape != (SIDE, SIDE, 3):
        raise SystemExit(f"{path} is no picture of {SIDE} x {SIDE} pixels; get the official crops.")
    return np.asarray(picture, np.uint8)


def _regressor(folder: Path | None) -> tuple[str, Regressor, tuple[Floats, Floats]]:
    """The first of the published regressors that is there, and its whitening."""
    if folder is None:
        weights = store.open_weights(WEIGHTS)
        name = next(n for n in REGRESSORS if weights.names(f"{n}/"))
        tensors, whitening = weights.tensors(f"{name}/"), weights.tensors("whitening/")
    else:
        files = {"mb1": "mb1_120x120.pth", "mb05": "mb05_120x120.pth", "resnet22": "resnet22.pth"}
        name = next((n for n in REGRESSORS if (folder / files[n]).exists()), "")
        if not name:
            raise SystemExit(f"{folder} holds none of {', '.join(files.values())}.")
        state = torch_file.read(folder / files[name])["state_dict"]
        tensors = {key.removeprefix("module."): value for key, value in state.items()}
        whitening = plain.read(folder / "param_mean_std_62d_120x120.pkl")
    mean, std = whitening["mean"], whitening["std"]
    return name, Regressor.from_tensors(tensors, mean, std, name), (mean, std)


def _model(basis: Path | None) -> Bfm | None:
    """The Basel model, or only its landmarks; None where there is neither."""
    if basis is None:
        return open_bfm(MODEL) if store.installed(MODEL) else None
    names = {"u": "u_base", "w_shp": "w_shp_base", "w_exp": "w_exp_base"}
    if basis.is_dir():
        given = {name: tables.read_text(basis / f"{file}.txt") for name, file in names.items()}
    else:
        arrays = numpy_file.read_archive(basis)
        given = {name: arrays[file] for name, file in names.items()}
    return Bfm.from_noneck(given | {"keypoints": np.arange(204)}, source=basis.name)


if __name__ == "__main__":
    main()
