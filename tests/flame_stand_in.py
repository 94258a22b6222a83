"""A stand-in in FLAME's official files, made of the open head: it looks like a head, and holds nothing of FLAME.

5,023 vertices, 9,976 triangles and 5,118 texture points, as the originals have; another person than the open head's
mean, in another order, in a frame of its own. DECA's data folder and a checkpoint come with it.
"""

from __future__ import annotations

import itertools
import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import scipy.sparse as sp
import torch

from likeness.heads.base import HeadModel
from likeness.heads.surface import parts
from likeness.render.raster import interpolate, rasterise_uv

VERTICES, TRIANGLES, POINTS = 5023, 9976, 5118
SHIFT = np.array([0.003, -0.125, -0.02])
JAW = 0.35  # radians at which the jaw's correctives make its turn look like jawOpen


class StandIn:
    """Arrays under the official names; ``model``, ``embedding``, ``uv``, ``triangles_uv`` and ``data``."""

    def __init__(self, head: HeadModel, seed: int = 5) -> None:
        random = np.random.default_rng(seed)
        coefficients = 0.8 * torch.randn(1, len(head.identity), generator=torch.Generator().manual_seed(seed))
        person = head.shape(coefficients)[0].double().numpy()
        joints = head.joints_of(coefficients)[0].double().numpy()
        kept = torch.nonzero(head.region("skin", "eye.L", "eye.R"))[:, 0]
        faces, faces_uv = head.triangles[kept].numpy(), head.triangles_uv[kept].numpy()
        used = np.unique(faces)
        expression = head.expression.double().numpy()
        weights = head.skin_weights.double().numpy()
        five = np.stack([weights[:, :2].sum(1), weights[:, 2], weights[:, 3], weights[:, 4], weights[:, 5]], 1)
        fields = np.concatenate(
            [
                person,
                five,
                np.stack([head.groups["face"].double().numpy()], 1),
                head.identity.double().numpy().transpose(1, 0, 2).reshape(len(person), -1),
                expression.transpose(1, 0, 2).reshape(len(person), -1),
            ],
            1,
        )[used]
        new = np.full(len(person), -1)
        new[used] = np.arange(len(used))
        eye = head.triangle_region[kept].numpy() != head.region_names.index("skin")
        uv = head.uv.double().numpy()
        # Eyes share a square of their own there; here they get two corners of the one square.
        uv, faces_uv = _eyes_aside(uv, faces_uv, head.triangle_region[kept].numpy(), head)
        faces, faces_uv, fields, uv = _to_size(new[faces], faces_uv, fields, uv, ~eye)
        order = random.permutation(VERTICES)
        place = np.argsort(order)
        fields, faces = fields[order], place[faces]
        turn = random.permutation(TRIANGLES)
        self.triangles, self.triangles_uv, self.uv = faces[turn], faces_uv[turn], uv
        self.open_vertices = used  # in the open head, before the order was changed
        self.place = place
        n, m = len(head.identity), len(expression)
        vertices, five, self.face = fields[:, :3] + SHIFT, fields[:, 3:8], fields[:, 8]
        identity = fields[:, 9 : 9 + 3 * n].reshape(VERTICES, n, 3)
        keys = fields[:, 9 + 3 * n :].reshape(VERTICES, m, 3)
        five /= five.sum(1, keepdims=True)
        self.joints = joints[[1, 2, 3, 4, 5]] + SHIFT
        shapedirs = np.zeros((VERTICES, 3, 400))
        shapedirs[:, :, : min(n, 300)] = identity.transpose(0, 2, 1)[:, :, :300]
        shapedirs[:, :, 300:400] = _components(keys.transpose(0, 2, 1))
        opened = keys[:, head.expression_names.index("jawOpen")]
        self.model: dict[str, Any] = {
            "v_template": vertices,
            "shapedirs": shapedirs,
            "posedirs": _correctives(vertices, five, self.joints, opened),
            "weights": five,
            "J_regressor": _regressor(vertices, self.triangles, self.joints, five),
            "J": self.joints,
            "kintree_table": np.array([[4294967295, 0, 1, 1, 1], [0, 1, 2, 3, 4]], np.int64),
            "f": self.triangles.astype(np.uint32),
            "bs_type": "lrotmin",
            "bs_style": "lbs",
        }
        self.embedding = self._embedding(head, kept, turn)
        self.data = self._data()

    def _embedding(self, head: HeadModel, kept: torch.Tensor, turn: np.ndarray) -> dict[str, np.ndarray]:
        """The open head's 68 points; splitting edges changed their triangles, so they are put on vertices."""
        marks = head.landmarks["ibug68"]
        corners = head.triangles[marks.triangle].numpy()
        nearest = corners[np.arange(68), marks.barycentric.argmax(1).numpy()]
        spot = self.place[np.searchsorted(self.open_vertices, nearest)]
        triangle, weights = np.zeros(68, np.int64), np.zeros((68, 3))
        for i, vertex in enumerate(spot):
            row = np.flatnonzero((self.triangles == vertex).any(1))[0]
            triangle[i], weights[i, np.flatnonzero(self.triangles[row] == vertex)[0]] = row, 1.0
        return {
            "static_lmk_faces_idx": triangle[17:],
            "static_lmk_bary_coords": weights[17:],
            "dynamic_lmk_faces_idx": np.tile(triangle[:17], (79, 1)),
            "dynamic_lmk_bary_coords": np.tile(weights[:17], (79, 1, 1)).astype(np.float32),
            "full_lmk_faces_idx": triangle[None],
            "full_lmk_bary_coords": weights[None].astype(np.float32),
        }

    def _data(self) -> dict[str, Any]:
        """DECA's pictures and the table of its dense mesh."""
        raster = rasterise_uv(torch.from_numpy(self.uv).float(), torch.from_numpy(self.triangles_uv), 256)
        values = torch.from_numpy(self.face[:, None].astype(np.float32))
        mask = interpolate(values, torch.from_numpy(self.triangles), raster)[..., 0].numpy()
        mask = (cv2.GaussianBlur(mask, (0, 0), 2) * 255).astype(np.uint8)
        rows, columns = np.nonzero(raster.covered.numpy())
        number = np.full((256, 256), -1)
        number[rows, columns] = np.arange(len(rows))
        a, b, c, d = number[:-1, :-1], number[1:, :-1], number[:-1, 1:], number[1:, 1:]
        f = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([c, b, d], -1).reshape(-1, 3)])
        f = f[(f >= 0).all(1)]
        y, x = np.mgrid[:256, :256]
        return {
            "uv_face_eye_mask": mask,
            "uv_face_mask": mask,
            "fixed_displacement_256": np.zeros((256, 256)),
            "texture_data_256": {
                "img_size": 256,
                "f": f[:, ::-1],
                "x_coords": x.ravel().astype(np.float64),
                "y_coords": y.ravel().astype(np.float64),
                "valid_pixel_ids": rows * 256 + columns,
                "valid_pixel_3d_faces": self.triangles[raster.triangle[rows, columns].numpy()],
                "valid_pixel_b_coords": raster.barycentric[rows, columns].numpy().astype(np.float64),
            },
        }

    def write_model(self, folder: Path) -> Path:
        """``generic_model.pkl``, protocol 2, plain arrays."""
        path = folder / "generic_model.pkl"
        with path.open("wb") as file:
            pickle.dump(self.model, file, 2)
        return path

    def write_data(self, folder: Path) -> None:
        """DECA's data folder."""
        folder.mkdir(parents=True, exist_ok=True)
        tables: dict[str, Any] = dict(self.embedding)
        for key in ("dynamic_lmk_faces_idx", "dynamic_lmk_bary_coords"):
            tables[key] = torch.from_numpy(tables[key])
        np.save(folder / "landmark_embedding.npy", np.array(tables, dtype=object), allow_pickle=True)
        lines = ["v {:.6f} {:.6f} {:.6f}".format(*p) for p in self.model["v_template"]]
        lines += ["vt {:.6f} {:.6f}".format(*p) for p in self.uv]
        both = zip(self.triangles + 1, self.triangles_uv + 1, strict=True)
        lines += ["f " + " ".join(f"{a}/{b}" for a, b in zip(v, t, strict=True)) for v, t in both]
        (folder / "head_template.obj").write_text("\n".join(lines) + "\n")
        for key in ("uv_face_eye_mask", "uv_face_mask"):
            cv2.imwrite(str(folder / f"{key}.png"), np.repeat(self.data[key][..., None], 4, 2))
        np.save(folder / "fixed_displacement_256.npy", self.data["fixed_displacement_256"])
        texels = np.array(self.data["texture_data_256"], dtype=object)
        np.save(folder / "texture_data_256.npy", texels, allow_pickle=True)
        cv2.imwrite(str(folder / "mean_texture.jpg"), np.full((512, 512, 3), 128, np.uint8))


def _eyes_aside(
    uv: np.ndarray, faces_uv: np.ndarray, region: np.ndarray, head: HeadModel
) -> tuple[np.ndarray, np.ndarray]:
    faces_uv = faces_uv.copy()
    pieces = [uv]
    count = len(uv)
    for name, corner in (("eye.L", (0.0, 0.0)), ("eye.R", (0.94, 0.0))):
        mine = region == head.region_names.index(name)
        rows = np.unique(faces_uv[mine])
        pieces.append(0.06 * uv[rows] + corner)
        number = np.full(len(uv), -1)
        number[rows] = count + np.arange(len(rows))
        faces_uv[mine] = number[faces_uv[mine]]
        count += len(rows)
    joined = np.concatenate(pieces)
    used = np.unique(faces_uv)
    return joined[used], np.searchsorted(used, faces_uv)


def _to_size(
    faces: np.ndarray, faces_uv: np.ndarray, fields: np.ndarray, uv: np.ndarray, skin: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Split the longest edges of the skin until the vertices are as many as FLAME's; close what is not seen."""
    edges: dict[tuple[int, int], list[int]] = {}
    for row in np.flatnonzero(skin):
        for k in range(3):
            a, b = int(faces[row, k]), int(faces[row, (k + 1) % 3])
            edges.setdefault((min(a, b), max(a, b)), []).append(int(row))
    border = [e for e, rows in edges.items() if len(rows) == 1]
    length = {e: float(np.linalg.norm(fields[e[0], :3] - fields[e[1], :3])) for e in edges}
    taken: set[int] = set()
    faces, faces_uv = list(map(list, faces.tolist())), list(map(list, faces_uv.tolist()))
    fields_new, uv_new = [fields], [uv]
    count, count_uv = len(fields), len(uv)
    for e in sorted(edges, key=lambda e: -length[e]):
        rows = edges[e]
        if count == VERTICES:
            break
        if len(rows) != 2 or taken & set(rows):
            continue
        ends = [{v: faces_uv[r][faces[r].index(v)] for v in e} for r in rows]
        if ends[0] != ends[1]:
            continue  # a seam
        taken |= set(rows)
        fields_new.append((fields[e[0]] + fields[e[1]])[None] / 2)
        uv_new.append((uv[ends[0][e[0]]] + uv[ends[0][e[1]]])[None] / 2)
        for r in rows:
            one, other = faces[r].index(e[0]), faces[r].index(e[1])
            twin, twin_uv = list(faces[r]), list(faces_uv[r])
            faces[r][one], faces_uv[r][one] = count, count_uv
            twin[other], twin_uv[other] = count, count_uv
            faces.append(twin)
            faces_uv.append(twin_uv)
        count, count_uv = count + 1, count_uv + 1
    fields, uv = np.concatenate(fields_new), np.concatenate(uv_new)
    _close(faces, faces_uv, border, fields)
    assert (len(fields), len(faces)) == (VERTICES, TRIANGLES), (len(fields), len(faces))
    assert len(uv) <= POINTS, len(uv)
    return np.array(faces), np.array(faces_uv), fields, np.concatenate([uv, np.zeros((POINTS - len(uv), 2))])


def _close(
    faces: list[list[int]], faces_uv: list[list[int]], border: list[tuple[int, int]], fields: np.ndarray
) -> None:
    """Triangles over the bust's border and along the eye sockets' until there are enough; none over the mouth.

    A membrane over the mouth would hold the lips together.
    """
    directed = {}
    rows = {}
    wanted = {v for e in border for v in e}
    for r, row in enumerate(faces):
        for k in range(3):
            a, b = row[k], row[(k + 1) % 3]
            if a in wanted and b in wanted and (min(a, b), max(a, b)) in set_of(border):
                directed[b] = a  # the other way round, as a face on the other side has it
                rows[a] = faces_uv[r][k]
    loops = []
    while directed:
        start = next(iter(directed))
        loop = [start]
        while (nxt := directed.pop(loop[-1])) != start:
            loop.append(nxt)
        loops.append(loop)
    middle = [fields[ring, :3].mean(0) for ring in loops]
    bust = min(range(len(loops)), key=lambda i: middle[i][1])
    aside = sorted((i for i in range(len(loops)) if i != bust), key=lambda i: -abs(middle[i][0]))
    whole = [(loops[bust][0], a, b) for a, b in itertools.pairwise(loops[bust][1:])]
    # Of a socket only the rim, lest upper and lower lid hang together.
    sockets = [loops[i] for i in aside if abs(middle[i][0]) > 0.01]
    ears = [
        (ring[i], ring[i + step], ring[i + 2 * step])
        for step in (1, 2)
        for ring in sockets
        for i in range(0, len(ring) - 2 * step, 2 * step)
    ]
    for corners in [*whole, *ears][: TRIANGLES - len(faces)]:
        faces.append(list(corners))
        faces_uv.append([rows[v] for v in corners])


_sets: dict[int, set[tuple[int, int]]] = {}


def set_of(border: list[tuple[int, int]]) -> set[tuple[int, int]]:
    return _sets.setdefault(id(border), set(border))


def _components(keys: np.ndarray) -> np.ndarray:
    """(V, 3, 100) principal displacements of the expressions (V, 3, M), zero beyond their number."""
    flat = keys.reshape(-1, keys.shape[2])
    left, size, _ = np.linalg.svd(flat, full_matrices=False)
    parts_ = left * size / np.sqrt(keys.shape[2])
    found = np.zeros((len(keys), 3, 100))
    found[:, :, : min(100, parts_.shape[1])] = parts_[:, :100].reshape(len(keys), 3, -1)
    return found


def _regressor(vertices: np.ndarray, triangles: np.ndarray, joints: np.ndarray, five: np.ndarray) -> sp.csc_matrix:
    """Each joint as an affine mixture of vertices around it; eyes as the mean of their ball."""
    label = parts(triangles, len(vertices))
    dense = np.zeros((5, len(vertices)))
    for j, joint in enumerate(joints):
        if j >= 3:
            rows = np.flatnonzero((five[:, j] > 0.9) & (label >= 0))
        else:
            rows = np.argsort(np.linalg.norm(vertices - joint, axis=1))[:80]
        system = np.concatenate([vertices[rows].T, np.ones((1, len(rows)))])
        start = np.full(len(rows), 1 / len(rows))
        gap = np.append(joint, 1.0) - system @ start
        dense[j, rows] = start + np.linalg.pinv(system) @ gap
    return sp.csc_matrix(dense)


def _correctives(vertices: np.ndarray, five: np.ndarray, joints: np.ndarray, opened: np.ndarray) -> np.ndarray:
    """(V, 3, 36): what a jaw turned by `JAW` lacks to look like jawOpen, in the two entries that hold its sine."""
    c, s = np.cos(JAW), np.sin(JAW)
    arm = vertices - joints[2]
    turned = arm @ np.array([[1, 0, 0], [0, c, -s], [0, s, c]]).T - arm
    lacking = opened - five[:, 2:3] * turned
    lacking *= np.minimum(1, 0.004 / np.maximum(np.linalg.norm(lacking, axis=1, keepdims=True), 1e-9))
    found = np.zeros((len(vertices), 3, 36))
    found[:, :, 9 + 7], found[:, :, 9 + 5] = lacking / (2 * s), -lacking / (2 * s)
    return found
