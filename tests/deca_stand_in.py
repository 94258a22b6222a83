"""Checkpoints in the official layouts that give about the same sensible codes for every photo: for paths and pictures.

The networks are the real ones with random weights; only their last layers are turned down, so that what they say stays
near a face that looks ahead and smiles a little.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from flame_stand_in import StandIn

from likeness.networks.deca import DETAIL, PARAMETERS, DetailDecoder, Encoder

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


def write_checkpoint(path: Path, stand_in: StandIn, seed: int = 0) -> Path:
    """``deca_model.tar``: E_flame, E_detail, D_detail as plain state dicts."""
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    coarse, detail, decoder = Encoder(PARAMETERS), Encoder(DETAIL), DetailDecoder()
    codes = np.zeros(PARAMETERS, np.float32)
    codes[:40] = random.normal(0, 0.7, 40)
    codes[150:158] = random.normal(0, 0.8, 8)
    codes[200:206] = (0.03, -0.05, 0.02, 0.06, 0, 0)
    codes[206:209] = camera_for(stand_in)
    codes[209:236] = np.concatenate([[3.2, 3.1, 3.0], random.normal(0, 0.1, 24)])
    with torch.no_grad():
        for net, bias in ((coarse, codes), (detail, random.normal(0, 1, DETAIL).astype(np.float32))):
            net.layers[2].weight.mul_(QUIET)
            net.layers[2].bias.copy_(torch.from_numpy(bias))
        decoder.conv_blocks[21].weight.mul_(0.5)
        decoder.conv_blocks[21].bias.zero_()
    parts = {"E_flame": coarse.state_dict(), "E_detail": detail.state_dict(), "D_detail": decoder.state_dict()}
    torch.save(parts, path)
    return path
