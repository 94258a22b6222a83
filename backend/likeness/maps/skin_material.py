"""The skin's maps, from photos to pixels: the main path of `likeness.maps` on one page."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.avatar import Map, Material
from likeness.maps.atlas import Atlas, atlas_of, enlarge, material_triangles
from likeness.maps.brows import brow_hairs, covered_brows, drawn_in
from likeness.maps.complete import Whole, complete
from likeness.maps.field import Surface
from likeness.maps.fuse import FEATURES, Fused, Layer, fuse, make_layer
from likeness.maps.gloss import HAIR, USUAL, cavity, gloss_fields
from likeness.maps.lips import across_lips
from likeness.maps.mottle import BROWN, GRAINY, RED, mottle, vividness
from likeness.maps.own import DISPLACEMENT, enlarged
from likeness.maps.places import HeadFrame, smoothstep
from likeness.maps.relief import DEPTH_MICRO, height_of, micro_relief, normals_of
from likeness.maps.scalp import Hair, hair_of, stubble
from likeness.maps.scattered import encoded
from likeness.maps.shine import Glints, Shine, glints_of, shine_of
from likeness.maps.skin import find_skin
from likeness.maps.tone import Tone, tone_of, whites_of
from likeness.maps.transfer import beams_of
from likeness.maps.unwrap import posed_vertices, unwrap
from likeness.methods.base import Reconstruction, Settings
from likeness.photos.srgb import LUMINANCE, srgb_encoded
from likeness.progress import Progress

__all__ = ["skin_material"]

Floats = NDArray[np.float32]

SMALL = 512
"""Side of the atlas in which everything slow is decided."""
RANGE = 0.0004
"""Metres up and down that the displacement map can code."""
HAIR_HEIGHT = 0.00025
LIP_LINES = 0.00004
FAINT = 0.2
"""Share of invented patches where a photo shows the skin: it brings its own."""
POROUS = 0.6
"""Share there of the tone of pores: few photos show any."""
RESOLVED = (2000.0, 5000.0)
"""Pixels of the photo per metre from which on it shows skin's finest grain, and all of it."""
BROKEN, UNEVEN = 0.06, 0.000025
"""Deviation of roughness over a few millimetres, and of height in metres that the normals alone show there: skin
nowhere shines evenly."""
PORES = 0.75
"""Share of invented pores in the normals there: skin without any looks like wax, whatever a photo's pixels resolve."""
DARK = (-0.25, -0.5)
"""Log luminance on top of the skin from which on a mark counts as dark, and fully."""
BROWNISH = (0.0, -0.1, -0.22)
"""Log green and blue over red of what is dark on skin at most: melanin takes blue most. A photo's dark is bluish where
the light on the skin is taken to be warm, and lashes would become eye shadow."""
_SRGB = np.rint(255 * srgb_encoded(np.linspace(0, 1, 4097))).astype(np.uint8)


def skin_material(
    reconstruction: Reconstruction, settings: Settings, progress: Progress
) -> tuple[Material, Hair, tuple[NDArray[np.float64], ...], list[Layer]]:
    """The skin's material; found on the way: the hair, each photo's light (9, 3) on skin of the albedo's colour, and
    the photos in an atlas of side `SMALL`."""
    head = reconstruction.head
    assert head is not None
    size = settings.texture_size
    small = atlas_of(head, "Skin", min(SMALL, size))
    with ThreadPoolExecutor(1) as pool:  # the two slowest, side by side
        shadows = pool.submit(beams_of, head)
        full = atlas_of(head, "Skin", size)
        beams = shadows.result()
    surface = Surface(reconstruction.vertices, head.triangles[material_triangles(head, "Skin")])
    left, right = (reconstruction.joints[head.joint_names.index(n)] for n in ("eye.L", "eye.R"))
    frame = HeadFrame.of(reconstruction.vertices, left, right)

    solid = head.triangles[~head.region("lashes", "wet")]
    layers: list[Layer] = []
    glints: list[Glints] = []
    for i, view in enumerate(reconstruction.views):
        progress("maps", 0.05 + 0.3 * i / len(reconstruction.views), f"Reading {view.face.photo.path.name}")
        photo = unwrap(reconstruction, view, small)
        posed = posed_vertices(reconstruction, view).numpy()
        skin = find_skin(photo, small, beams.transfer)
        layers.append(make_layer(photo, skin, small, beams, surface, posed, solid))
        glint = glints_of(layers[-1], view.camera, posed, solid, small)
        glints += [] if glint is None else [glint]
    progress("maps", 0.4, "Joining the photos")
    fused = fuse(layers, small, full, surface)
    hair = hair_of(layers, small, frame, surface, settings.seed)
    progress("maps", 0.6, "Completing what no photo shows")
    whole = complete(fused, head, frame, small, full, surface)
    progress("maps", 0.75, "Pores, relief and gloss")
    sharp = max(layer.photo.scale for layer in layers)
    tone = _tone(reconstruction, layers, whole, small)
    shift = (tone.colour - whole.typical).astype(np.float32)
    whole = replace(whole, base=whole.base + shift, typical=whole.typical + shift)
    hair = replace(hair, colour=hair.colour + shift)
    lights = tuple(layer.light.relative() * np.exp(-shift.astype(np.float64)) for layer in layers)
    broad = reconstruction.maps.get(DISPLACEMENT)
    shine = _shine(glints, float(np.exp(tone.colour).mean()))
    material = _paint(fused, whole, hair, frame, small, full, sharp, broad, shine, settings.seed)
    material.values["shine"] = [round(shine.gain, 3), round(shine.roughness, 3)]
    material.values["melanin"], material.values["blood"] = round(tone.melanin, 4), round(tone.blood, 4)
    material.values["exposure"] = [round(float(c), 4) for c in np.exp(tone.tint)]
    return material, hair, lights, layers


def _shine(glints: list[Glints], albedo: float) -> Shine:
    """The mean of what the photos with clear highlights tell; usual skin without any."""
    found = [shine for shine in (shine_of(glint, albedo) for glint in glints) if shine is not None]
    if not found:
        return Shine(1.0, USUAL)
    return Shine(float(np.mean([s.gain for s in found])), float(np.mean([s.roughness for s in found])))


def _tone(reconstruction: Reconstruction, layers: list[Layer], whole: Whole, small: Atlas) -> Tone:
    """The person's plain skin, whose absolute level and colour are the likeliest for what the photos show."""
    whites, metered = [], []
    # The square's left half shows the head's right.
    right = np.arange(small.size) < small.size // 2
    for view, layer in zip(reconstruction.views, layers, strict=True):
        known = layer.known > 0.3 * layer.known.max()
        gain = whole.typical - np.median(layer.base[known], axis=0)
        for white, side in zip(whites_of(view), (right, ~right), strict=True):
            around = layer.photo.areas["lids"] * layer.photo.weight * side
            if white is not None and around.sum() > 1:
                shade = (layer.shading * around[..., None]).sum((0, 1)) / around.sum()
                whites.append(white - shade + gain)
        light = np.exp(layer.photo.log) @ LUMINANCE.astype(np.float32)
        weight = layer.photo.weight * layer.skin.share * layer.photo.areas["oval"]
        if weight.sum() > 1:
            metered.append(float(np.log((light * weight).sum() / weight.sum()) + gain.mean()))
    return tone_of(whole.typical.astype(np.float64), whites, float(np.mean(metered)) if metered else None)


def _paint(
    fused: Fused,
    whole: Whole,
    hair: Hair,
    frame: HeadFrame,
    small: Atlas,
    full: Atlas,
    sharp: float,
    broad: Floats | None,
    shine: Shine,
    seed: int,
) -> Material:
    """All maps. Uses up the detail.

    Args:
        sharp: pixels per metre of the sharpest photo.
        broad: a method's own relief in metres, which the normals show as well; shine: the person's.
    """
    texel = full.texel
    both = {n: np.maximum(fused.areas[n], small.flipped(fused.areas[n])) for n in ("lips", "brows", "lids")}
    lips = np.clip(small.vertices(both["lips"] * small.area) / np.maximum(small.vertices(small.area), 1e-12), 0, 1)
    # Nobody looks at the back of a head for its grain, and where the UVs are cut it could not go on.
    front = smoothstep(-1.9, -1.3, frame.points[:, 2:])
    gloss = gloss_fields(frame, lips, shine.gain, shine.roughness)
    fields = small.texels(np.concatenate([gloss, whole.base, front], 1))
    fields = np.dstack([hair.cover, fields])
    fields[..., 1:3] += (np.array(HAIR, np.float32) - fields[..., 1:3]) * hair.cover[..., None]
    cover, roughness, specular, *base, front = cv2.split(enlarge(fields, small, full))
    shown = whole.seen + whole.mirrored
    made_up = np.minimum(1 - shown, full.inside)

    opacity, tufts = stubble(cover, texel, seed)
    hairs = brow_hairs(both["brows"], both["lids"], small, full, seed)
    covered = covered_brows(both["brows"], small, cover.shape) * made_up
    opacity = np.maximum(opacity, np.minimum(covered * (0.4 + 0.6 * hairs), 0.95))
    drawn_in(whole.detail, hairs, shown, full)
    bare = 1 - opacity
    micro = micro_relief(full, seed)
    flat = np.maximum(cv2.resize(np.maximum(both["brows"], 0.8 * both["lids"]), cover.shape), cover)
    luminance = cv2.transform(whole.detail, np.full((1, 3), 1 / 3, np.float32))
    height = height_of(luminance, flat, texel, sharp)
    kept = cavity(height, texel)  # invented pores have their share of gloss below
    height += DEPTH_MICRO * micro * made_up
    height *= bare
    height += HAIR_HEIGHT * tufts * opacity

    faint = FAINT + (1 - FAINT) * made_up
    made = mottle(frame.points * np.float32(frame.unit), small, full, _vividness(whole, fused, small), seed)
    brown, blood, tone = made.brown, made.red, made.grain
    brown *= faint
    blood *= faint
    tone *= GRAINY * front * (1 - (1 - made_up) * float(smoothstep(*RESOLVED, sharp)))
    tone += 0.022 * micro * (POROUS + (1 - POROUS) * made_up)
    # Lips have lines across; where a photo shows lips it brings some of its own.
    inner = np.clip(np.maximum(small.texels(fused.lips), both["lips"]), 0, 1)
    lines = across_lips(inner, frame, small, full, seed)
    lines *= 0.35 + 0.65 * made_up
    height += LIP_LINES * lines
    tone += 0.035 * lines
    strand = 0.25 * (tufts - 0.5)
    albedo = np.empty((*cover.shape, 3), np.uint8)
    dark = smoothstep(*DARK, luminance)
    red = whole.detail[..., 0] + base[0]
    for channel in range(3):
        log = whole.detail[..., channel] + base[channel]
        log -= dark * np.maximum(log - red - BROWNISH[channel], 0)
        log += tone
        log += BROWN[channel] * brown
        log += RED[channel] * blood
        log *= bare
        log += (strand + hair.colour[channel]) * opacity
        log[~full.inside] = whole.typical[channel]
        albedo[..., channel] = _srgb(log)

    # Where a photo shows skin, pores below what it resolves are in the normals alone: its relief claims nothing else.
    raised = height + (PORES * DEPTH_MICRO) * micro * (1 - made_up) * bare
    raised += UNEVEN * made.rough * (1 - flat) * bare
    if broad is not None:
        raised += enlarged(broad, full.size)
    normal = encoded(normals_of(raised, _pitch(small, full)))
    roughness -= (0.06 * micro + BROKEN * made.rough) * bare
    specular *= 1 + 0.18 * micro * bare
    specular *= kept
    known = (whole.seen + 0.5 * whole.mirrored) * bare
    return Material(
        {
            "albedo": Map(albedo, "srgb"),
            "specular": Map(_bytes(specular), "linear"),
            "roughness": Map(_bytes(roughness), "linear"),
            "normal": Map(normal, "linear"),
            "displacement": Map(_words(height), "linear", scale=2 * RANGE, offset=-RANGE),
            "confidence": Map(_bytes(known), "linear"),
            "origin": Map(_origin(whole.seen * bare, whole.mirrored * bare), "linear"),
        },
        {"albedo": [round(float(c), 4) for c in np.exp(whole.typical)]},
    )


def _vividness(whole: Whole, fused: Fused, small: Atlas) -> float:
    """How much the seen skin of a person varies, see `likeness.maps.mottle.vividness`."""
    side = (small.size, small.size)
    features = np.maximum.reduce([fused.areas[n] for n in FEATURES])
    luminance = cv2.resize(whole.detail, side, interpolation=cv2.INTER_AREA).mean(-1)
    seen = cv2.resize(whole.seen, side, interpolation=cv2.INTER_AREA)
    return vividness(luminance, seen * (1 - features), small.texel)


def _pitch(small: Atlas, full: Atlas) -> Floats:
    """(S, S) metres per texel."""
    area = np.maximum(small.area, 0.05 * np.median(small.area[small.area > 0]))
    pitch = enlarge(np.sqrt(area), small, full)
    pitch *= small.size / full.size
    return pitch


def _srgb(log: Floats) -> NDArray[np.uint8]:
    """Log of linear light to sRGB; uses the input up."""
    np.exp(log, out=log)
    log *= len(_SRGB) - 1
    log += 0.5
    return np.take(_SRGB, log.astype(np.int32), mode="clip")


def _origin(seen: Floats, mirrored: Floats) -> NDArray[np.uint8]:
    """What most of each texel comes from: 255 a photo, 127 the other side, 0 neither."""
    rest = 1 - seen - mirrored
    origin = np.where((mirrored > seen) & (mirrored > rest), np.uint8(127), np.uint8(0))
    origin[(seen >= mirrored) & (seen > rest)] = 255
    return origin


def _words(height: Floats) -> NDArray[np.uint16]:
    """Metres to the codes of the displacement map."""
    return np.clip(height * (65535 / (2 * RANGE)) + 32768, 0, 65535).astype(np.uint16)


def _bytes(values: Floats) -> NDArray[np.uint8]:
    """0..1 to 0..255."""
    codes: NDArray[np.uint8] = cv2.convertScaleAbs(values, alpha=255)
    return codes
