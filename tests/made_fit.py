"""A small head with landmarks, and photos of it as the landmark network would see them."""

from pathlib import Path

import numpy as np
import torch

from likeness.faces.face import Face
from likeness.fitting.pose import Pose, rotation_of
from likeness.heads.base import HeadModel, LandmarkEmbedding
from likeness.heads.expressions import ARKIT
from likeness.photos import Photo

WIDTH, HEIGHT = 800, 1000
FOCAL = 1700.0


def made_head(seed: int = 0) -> HeadModel:
    """Half an ellipsoid with six identity modes and ARKit's names, every expression a soft dent of its own."""
    rng = np.random.default_rng(seed)
    across, up = np.meshgrid(np.linspace(-1.2, 1.2, 25), np.linspace(-1.1, 1.1, 25))
    place = np.stack(
        [0.07 * np.sin(across) * np.cos(up), 0.1 + 0.1 * np.sin(up), 0.09 * np.cos(across) * np.cos(up)], -1
    ).reshape(-1, 3)
    index = np.arange(625).reshape(25, 25)
    polygons = np.stack([index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]], -1).reshape(-1, 4)

    def bumps(count: int, size: float) -> np.ndarray:
        centres = place[rng.integers(0, 625, count)]
        near = np.exp(-((place[None] - centres[:, None]) ** 2).sum(-1) / (2 * 0.03**2))
        return near[..., None] * rng.normal(0, size, (count, 1, 3))

    embedding = LandmarkEmbedding(
        torch.from_numpy(rng.integers(0, 2 * len(polygons), 478)),
        torch.from_numpy(rng.dirichlet((1, 1, 1), 478)).float(),
    )
    weights = torch.zeros(625, 2)
    weights[:, 1] = 1
    return HeadModel(
        name="made", title="made", licence="CC0-1.0",
        template=torch.from_numpy(place).float(), identity=torch.from_numpy(bumps(6, 0.003)).float(),
        expression=torch.from_numpy(bumps(52, 0.006)).float(), expression_names=ARKIT,
        polygons=torch.from_numpy(polygons), uv=torch.rand(625, 2), polygons_uv=torch.from_numpy(polygons),
        region_names=("skin",), polygon_region=torch.zeros(len(polygons), dtype=torch.int64),
        joint_names=("root", "head"), joint_parents=(-1, 0), joints=torch.zeros(2, 3),
        joints_identity=torch.zeros(6, 2, 3), skin_weights=weights, mirror=torch.arange(625),
        landmarks={"mediapipe478": embedding},
    )  # fmt: skip


def camera(yaw: float, pitch: float = 0.0, distance: float = 0.9) -> Pose:
    """A camera that sees the face turned by yaw to the picture's right and by pitch up, in degrees."""
    upright = np.diag([1.0, -1.0, -1.0])
    rotation = (
        upright @ rotation_of(np.array([0, np.radians(yaw), 0])) @ rotation_of(np.array([-np.radians(pitch), 0, 0]))
    )
    return Pose(rotation, np.array([0.01, 0.1, distance]), FOCAL, np.array([WIDTH / 2, HEIGHT / 2]))


def seen(points: np.ndarray, pose: Pose) -> np.ndarray:
    """Landmarks (478, 3) as the network would give them: pixels, and depth in the same scale."""
    depth = (points @ pose.rotation.T + pose.translation)[:, 2]
    scale = pose.focal / depth.mean()
    return np.concatenate([pose.project(points), (scale * (depth - depth.mean()))[:, None]], 1)


def face_of(landmarks: np.ndarray, focal: float | None = FOCAL) -> Face:
    photo = Photo(Path("made.png"), np.zeros((HEIGHT, WIDTH, 3), np.uint8), focal)
    low, high = landmarks[:, :2].min(0), landmarks[:, :2].max(0)
    return Face(photo, 0, np.concatenate([low, high]), landmarks, 1.0, 0.0, 0.0, 0.0)
