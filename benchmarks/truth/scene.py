"""Renders one subject with Cycles, in a process of its own: ``python scene.py JOB.npz``.

The job holds plain arrays (see `truth.subject`); each view's light is written beside it as ``light_0.npy`` and so
on, (H, W, 4) float16 linear RGBA. Views that are there already are left alone.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

SPREAD = {
    "teeth": ((0.62, 0.55, 0.45), 0.25),
    "gums": ((0.40, 0.12, 0.10), 0.35),
    "tongue": ((0.40, 0.13, 0.12), 0.4),
    "mouth": ((0.16, 0.04, 0.035), 0.5),
    "sockets": ((0.40, 0.20, 0.16), 0.5),
}
"""Plain materials: linear colour, roughness."""


def image(name: str, pixels: np.ndarray, space: str) -> Any:
    """An image datablock from (H, W, C) uint8, float32 or float16 pixels, row 0 at the top."""
    scale = 255 if pixels.dtype == np.uint8 else 1
    rgba = np.ones((*pixels.shape[:2], 4), np.float32)
    rgba[..., :3] = pixels.reshape(*pixels.shape[:2], -1).astype(np.float32) / scale
    made = bpy.data.images.new(name, pixels.shape[1], pixels.shape[0], float_buffer=True)
    made.colorspace_settings.name = space
    if space == "sRGB":  # a float buffer holds scene-linear values
        low = rgba[..., :3] <= 0.04045
        rgba[..., :3] = np.where(low, rgba[..., :3] / 12.92, ((rgba[..., :3] + 0.055) / 1.055) ** 2.4)
        made.colorspace_settings.name = "Linear Rec.709"
    made.pixels.foreach_set(np.ascontiguousarray(rgba[::-1]).ravel())
    made.update()
    return made


def material(name: str) -> tuple[Any, Any]:
    """A material and its Principled node."""
    made = bpy.data.materials.new(name)
    made.use_nodes = True
    return made, made.node_tree.nodes["Principled BSDF"]


def textured(tree: Any, picture: Any, socket: Any) -> None:
    """Let a picture feed a socket."""
    node = tree.nodes.new("ShaderNodeTexImage")
    node.image = picture
    node.interpolation = "Cubic"
    tree.links.new(node.outputs["Color"], socket)


def skin(job: dict[str, np.ndarray]) -> Any:
    """Painted, scattering, with the relief that the job has, else with pores."""
    made, principled = material("skin")
    tree = made.node_tree
    textured(tree, image("albedo", job["albedo"], "sRGB"), principled.inputs["Base Color"])
    textured(tree, image("roughness", job["roughness"], "Non-Color"), principled.inputs["Roughness"])
    principled.subsurface_method = "BURLEY"  # a random walk costs more than all the rest
    principled.inputs["Subsurface Weight"].default_value = 0.35
    principled.inputs["Subsurface Radius"].default_value = (1.0, 0.35, 0.18)
    principled.inputs["Subsurface Scale"].default_value = 0.0035
    if "specular" in job:
        textured(tree, image("specular", job["specular"], "Non-Color"), principled.inputs["Specular IOR Level"])
    bump = tree.nodes.new("ShaderNodeBump")
    tree.links.new(bump.outputs["Normal"], principled.inputs["Normal"])
    if "relief" in job:  # metres
        bump.inputs["Strength"].default_value = bump.inputs["Distance"].default_value = 1
        textured(tree, image("relief", job["relief"], "Non-Color"), bump.inputs["Height"])
        return made
    noise = tree.nodes.new("ShaderNodeTexNoise")
    place = tree.nodes.new("ShaderNodeTexCoord")
    tree.links.new(place.outputs["Object"], noise.inputs["Vector"])
    noise.inputs["Scale"].default_value = 900
    noise.inputs["Detail"].default_value = 4
    bump.inputs["Strength"].default_value = 0.25
    bump.inputs["Distance"].default_value = 0.0004
    tree.links.new(noise.outputs["Fac"], bump.inputs["Height"])
    return made


def eye(job: dict[str, np.ndarray]) -> Any:
    """The eyeball under its cornea."""
    made, principled = material("eye")
    textured(made.node_tree, image("iris", job["iris"], "sRGB"), principled.inputs["Base Color"])
    principled.inputs["Roughness"].default_value = 0.15
    principled.inputs["Specular IOR Level"].default_value = 0.15  # the cornea before it has the highlight
    return made


def cornea() -> Any:
    """A mirror that shows more of itself at grazing angles, and nothing else: refraction would cost samples."""
    made, principled = material("cornea")
    tree = made.node_tree
    tree.nodes.remove(principled)
    mix, clear = tree.nodes.new("ShaderNodeMixShader"), tree.nodes.new("ShaderNodeBsdfTransparent")
    gloss, fresnel = tree.nodes.new("ShaderNodeBsdfAnisotropic"), tree.nodes.new("ShaderNodeFresnel")
    gloss.inputs["Roughness"].default_value = 0.03
    fresnel.inputs["IOR"].default_value = 1.38
    tree.links.new(fresnel.outputs[0], mix.inputs[0])
    tree.links.new(clear.outputs[0], mix.inputs[1])
    tree.links.new(gloss.outputs[0], mix.inputs[2])
    tree.links.new(mix.outputs[0], tree.nodes["Material Output"].inputs["Surface"])
    return made


def plain(name: str, colour: Any, roughness: float, alpha: float = 1.0) -> Any:
    """A material of one linear colour."""
    made, principled = material(name)
    principled.inputs["Base Color"].default_value = (*[float(c) for c in colour], 1)
    principled.inputs["Roughness"].default_value = roughness
    principled.inputs["Alpha"].default_value = alpha
    return made


def blender(points: np.ndarray) -> np.ndarray:
    """The head's frame (+Y up) to Blender's (+Z up)."""
    return np.stack([points[..., 0], -points[..., 2], points[..., 1]], -1)


def add_mesh(
    name: str, polygons: np.ndarray, uv: np.ndarray | None, polygons_uv: np.ndarray | None
) -> tuple[Any, np.ndarray]:
    """A mesh object of the used vertices, whose indices come back with it."""
    used, index = np.unique(polygons[polygons >= 0], return_inverse=True)
    local = np.full(polygons.shape, -1)
    local[polygons >= 0] = index
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(np.zeros((len(used), 3)).tolist(), [], [[int(i) for i in f if i >= 0] for f in local])
    if uv is not None and polygons_uv is not None:
        layer = mesh.uv_layers.new(name="uv")
        layer.data.foreach_set("uv", uv[polygons_uv[polygons >= 0]].astype(np.float32).ravel())
    mesh.polygons.foreach_set("use_smooth", np.ones(len(polygons), bool))
    made = bpy.data.objects.new(name, mesh)
    bpy.context.collection.objects.link(made)
    return made, used


def add_hair(strands: np.ndarray, colour: Any, radius: float) -> None:
    """Strands (S, K, 3) as curves of a radius in metres."""
    curves = bpy.data.hair_curves.new("hair")
    curves.add_curves([strands.shape[1]] * len(strands))
    curves.points.foreach_set("position", blender(strands).astype(np.float32).ravel())
    taper = np.linspace(1, 0.4, strands.shape[1], dtype=np.float32) * radius
    curves.points.foreach_set("radius", np.tile(taper, len(strands)))
    made = bpy.data.objects.new("hair", curves)
    made.data.materials.append(plain("hair", colour, 0.42))
    bpy.context.collection.objects.link(made)


def add_camera(view: dict[str, np.ndarray], size: int) -> None:
    """The photo's camera becomes the scene's."""
    lens = bpy.data.cameras.new("camera")
    lens.sensor_width = 36
    lens.lens = float(view["focal"]) * 36 / size
    lens.clip_start = 0.01
    made = bpy.data.objects.new("camera", lens)
    rotation, translation = view["rotation"], view["translation"]
    to_blender = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    pose = np.eye(4)
    pose[:3, :3] = to_blender @ rotation.T @ np.diag([1.0, -1, -1])
    pose[:3, 3] = to_blender @ (-rotation.T @ translation)
    made.matrix_world = Matrix(pose.tolist())
    bpy.context.collection.objects.link(made)
    bpy.context.scene.camera = made


def set_up(size: int, samples: int, threads: int) -> None:
    """Cycles, few samples, denoised."""
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples = samples
    scene.cycles.use_denoising = True
    scene.cycles.use_adaptive_sampling = True
    scene.cycles.adaptive_threshold = 0.1
    scene.cycles.adaptive_min_samples = 4
    scene.cycles.denoising_prefilter = "FAST"
    scene.cycles.max_bounces = 3
    scene.cycles.transparent_max_bounces = 6
    scene.render.threads_mode, scene.render.threads = "FIXED", threads
    scene.render.resolution_x = scene.render.resolution_y = size
    scene.render.resolution_percentage = 100
    scene.render.use_persistent_data = True
    scene.render.image_settings.file_format = "OPEN_EXR"
    scene.render.image_settings.color_mode = "RGBA"
    scene.render.image_settings.color_depth = "16"
    world = bpy.data.worlds.new("room")
    world.use_nodes = True
    world.cycles.sampling_method = "MANUAL"
    world.cycles.sample_map_resolution = 256
    scene.world = world


def main(path: Path) -> None:
    """Render every view of the job that is not there yet."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with np.load(path) as data:
        job = {k: data[k] for k in data.files}
    size = int(job["size"])
    set_up(size, int(job["samples"]), int(os.environ.get("OMP_NUM_THREADS", "2")))
    room = bpy.context.scene.world.node_tree
    sky = room.nodes.new("ShaderNodeTexEnvironment")
    room.links.new(sky.outputs["Color"], room.nodes["Background"].inputs["Color"])
    shades = {"skin": skin(job), "eye": eye(job), "cornea": cornea()}
    shades["lashes"] = plain("lashes", job["hair_colour"] * 0.4, 0.6, 0.4)
    if "cloth" in job["parts"]:
        shades["cloth"] = plain("cloth", job["cloth_colour"], 0.9)
    shades |= {n: plain(n, *v) for n, v in SPREAD.items()}
    meshes = []
    for name in job["parts"]:
        uv = job.get(f"{name}/uv")
        made, used = add_mesh(str(name), job[f"{name}/polygons"], uv, job.get(f"{name}/polygons_uv"))
        made.data.materials.append(shades[str(name).split(".")[0]])
        meshes.append((made, used))
    if len(job["hair"]):
        add_hair(job["hair"], job["hair_colour"], float(job["hair_radius"]))
    for i in range(len(job["vertices"])):
        out = path.with_name(f"light_{i}.npy")
        if out.exists():
            continue
        points = blender(job["vertices"][i]).astype(np.float32)
        for made, used in meshes:
            made.data.vertices.foreach_set("co", points[used].ravel())
            made.data.update()
        add_camera({k: job[f"camera_{k}"][i] for k in ("focal", "rotation", "translation")}, size)
        # The face looks along -Y, which Cycles reads three quarters along the picture, and from left to right it
        # goes the other way round.
        room_picture = np.roll(job["rooms"][i][:, ::-1], job["rooms"].shape[2] // 4, 1)
        sky.image = image(f"room {i}", room_picture, "Linear Rec.709")
        with tempfile.TemporaryDirectory() as folder:
            bpy.context.scene.render.filepath = str(Path(folder) / "view.exr")
            bpy.ops.render.render(write_still=True)
            read = bpy.data.images.load(str(Path(folder) / "view.exr"))
            pixels = np.empty(size * size * 4, np.float32)
            read.pixels.foreach_get(pixels)
        np.save(out, pixels.reshape(size, size, 4)[::-1].astype(np.float16))
        print(f"view {i + 1} of {len(job['vertices'])}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    sys.stdout.flush()
    os._exit(0)  # Blender's own exit may hang
