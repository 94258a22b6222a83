"""Checkpoints in the official layouts that give about the same sensible codes for every photo: for paths and pictures.

The networks are the real ones with random weights; only their last layers are turned down, so that what they say stays
near a face that looks ahead and smiles a little.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from flame_stand_in import StandIn
from made_checkpoint import write_checkpoint as write_tensorflow

from likeness.faces import Face
from likeness.heads.base import HeadModel
from likeness.heads.flame import Flame
from likeness.maps.places import CONTOUR
from likeness.methods.deca_model import projected
from likeness.methods.flame_crops import landmark_crop
from likeness.methods.flame_family import landmarks68
from likeness.networks.deca import DETAIL, LATENT, PARAMETERS, DetailDecoder, Encoder
from likeness.networks.resnet_v2 import ResNetV2
from likeness.networks.ringnet import encoder_names

QUIET = 1e-3
CROP = 1.1 * 1.25
"""Side of DECA's square as a multiple of the mean side of the landmarks' box."""


def camera_for(stand_in: StandIn) -> tuple[float, float, float]:
    """DECA's s, tx, ty that put the stand-in's 68 points into the middle of the crop."""
    corners = stand_in.model["v_template"][stand_in.triangles[stand_in.embedding["full_lmk_faces_idx"][0]]]
    points = (corners * stand_in.embedding["full_lmk_bary_coords"][0][..., None]).sum(1)
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    x, y = -(low + high) / 2
    return 2 / (CROP * float((high - low).mean())), float(x), float(y)


def write_checkpoint(path: Path, stand_in: StandIn, seed: int = 0, codes: np.ndarray | None = None) -> Path:
    """``deca_model.tar``: E_flame, E_detail, D_detail as plain state dicts; codes (236,) are what it is to say."""
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    coarse, detail, decoder = Encoder(PARAMETERS), Encoder(DETAIL), DetailDecoder()
    given, codes = codes, np.zeros(PARAMETERS, np.float32)
    codes[:40] = random.normal(0, 0.7, 40)
    codes[150:158] = random.normal(0, 0.8, 8)
    codes[200:206] = (0.03, -0.05, 0.02, 0.06, 0, 0)
    codes[206:209] = camera_for(stand_in)
    codes[209:236] = np.concatenate([[3.2, 3.1, 3.0], random.normal(0, 0.1, 24)])
    codes = codes if given is None else given
    with torch.no_grad():
        for net, bias in ((coarse, codes), (detail, random.normal(0, 1, DETAIL).astype(np.float32))):
            net.layers[2].weight.mul_(QUIET)
            net.layers[2].bias.copy_(torch.from_numpy(bias))
        # As drawn, the decoder hardly hears its latents; so it answers with half a millimetre, about zero.
        decoder.l1[0].weight.mul_(6)
        decoder.conv_blocks[21].weight.mul_(20)
        decoder.conv_blocks[21].bias.zero_()
        decoder.conv_blocks[21].bias.sub_(torch.atanh(100 * decoder.eval()(torch.randn(2, LATENT)).mean()))
    parts = {"E_flame": coarse.state_dict(), "E_detail": detail.state_dict(), "D_detail": decoder.state_dict()}
    torch.save(parts, path)
    return path


def write_ringnet(stem: Path, stand_in: StandIn, seed: int = 0) -> Path:
    """RingNet's checkpoint: a start vector that the last layer hardly changes."""
    random = np.random.default_rng(seed)
    variables: dict[str, np.ndarray] = {}
    torch.manual_seed(seed)
    names = encoder_names()
    for ours, value in ResNetV2().state_dict().items():
        if ours in names:
            array = value.numpy()
            variables["resnet_v2_50/" + names[ours]] = array.transpose(2, 3, 1, 0) if array.ndim == 4 else array
    s, x, y = camera_for(stand_in)
    start = np.zeros((1, 159), np.float32)
    # Turned about x: there y is down and z away from us, so that y's shift turns over, too.
    start[0, :9] = (s, x, -y, np.pi, 0.04, 0.02, 0.08, 0, 0)
    start[0, 9:49] = random.normal(0, 0.7, 40)
    start[0, 109:117] = random.normal(0, 0.8, 8)
    variables["mean_param"] = start
    for number, (rows, columns) in enumerate(((2207, 512), (512, 512), (512, 159)), 1):
        size = QUIET**2 if number == 3 else 1 / np.sqrt(rows)
        variables[f"3D_module/fc{number}/weights"] = random.normal(0, size, (rows, columns)).astype(np.float32)
        variables[f"3D_module/fc{number}/biases"] = np.zeros(columns, np.float32)
    stem.parent.mkdir(parents=True, exist_ok=True)
    return write_tensorflow(stem, variables)


def fitted_codes(face: Face, flame: Flame, head: HeadModel, rounds: int = 60) -> np.ndarray:
    """The 236 codes under which the head lies on a face's landmarks: for pictures, where DECA's weights are not.

    Args:
        head: the compiled one, whose "mediapipe478" landmarks are compared.
    """
    crop = landmark_crop(landmarks68(face)).matrix
    points = face.landmarks[:, :2] - 0.5
    seen = torch.from_numpy(points @ crop[:2, :2].T + crop[:2, 2]).float() / 112 - 1
    mesh = head.landmarks["mediapipe478"]
    use = torch.ones(len(seen), dtype=torch.bool)
    use[list(CONTOUR)] = False
    shape, exp, pose = (torch.zeros(1, n, requires_grad=True) for n in (100, 50, 6))
    cam = torch.tensor([[9.0, 0.0, 0.1]], requires_grad=True)
    solver = torch.optim.LBFGS([shape, exp, pose, cam], max_iter=rounds, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        solver.zero_grad()
        vertices = flame.forward(shape, exp, pose).vertices
        there = projected(mesh.on(vertices, head.triangles), cam)[0, :, :2]
        # Landmarks are good to about two pixels of the crop.
        total = ((there - seen)[use] / 0.02).square().sum() + 8 * (shape.square().sum() + exp.square().sum())
        total = total + (pose[:, 3:] / 0.1).square().sum()
        total.backward()
        return total

    solver.step(loss)
    light = torch.zeros(1, 27)
    light[:, :3] = 3.1
    parts = (shape, torch.zeros(1, 50), exp, pose, cam, light)
    return torch.cat([p.detach() for p in parts], 1)[0].numpy()
