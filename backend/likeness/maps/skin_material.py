"""The skin's maps, from photos to pixels: the main path of `likeness.maps` on one page."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.avatar import Map, Material
from likeness.maps.atlas import Atlas, atlas_of, enlarge, joined, material_triangles
from likeness.maps.complete import Whole, complete
from likeness.maps.field import Surface
from likeness.maps.fuse import Fused, Layer, fuse, make_layer
from likeness.maps.gloss import HAIR, USUAL, cavity, gloss_fields
from likeness.maps.lips import across_lips
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
from likeness.photos.srgb import srgb_encoded
from likeness.progress import Progress

__all__ = ["skin_material"]

Floats = NDArray[np.float32]

SMALL = 512
"""Side of the atlas in which everything slow is decided."""
RANGE = 0.0004
"""Metres up and down that the displacement map can code."""
HAIR_HEIGHT = 0.00025
LIP_LINES = 0.00004
MOTTLE = 0.02
"""Deviation of invented skin's log luminance in each of two bands."""
BROW = 0.004
"""Metres from the middle of a brow to its edge."""
FAINT = 0.25
"""Share of invented tone where a photo shows the skin: few photos show pores."""
PORES = 0.5
"""Share of invented pores in the normals there: skin without any looks like wax, whatever a photo's pixels resolve."""
DARK = (-0.25, -0.5)
"""Log luminance on top of the skin from which on a mark counts as dark, and fully."""
BROWNISH = (0.0, -0.1, -0.22)
"""Log green and blue over red of what is dark on skin at most: melanin takes blue most. A photo's dark is bluish where
the light on the skin is taken to be warm, and lashes would become eye shadow."""
RED = (0.006, -0.012, -0.008)
"""What blood below the skin does to log red, green and blue."""
_SRGB = np.rint(255 * srgb_encoded(np.linspace(0, 1, 4097))).astype(np.uint8)


def skin_material(
    reconstruction: Reconstruction, settings: Settings, progress: Progress
) -> tuple[Material, Hair, tuple[NDArray[np.float64], ...]]:
    """The skin's material; found on the way: the hair, and each photo's light (9, 3) on skin of the albedo's colour."""
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
    return material, hair, lights


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
        light = np.exp(layer.photo.log) @ np.array([0.2126, 0.7152, 0.0722], np.float32)
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
    fields = small.texels(np.concatenate([gloss_fields(frame, lips, shine.gain, shine.roughness), whole.base], 1))
    fields = np.dstack([hair.cover, fields])
    fields[..., 1:3] += (np.array(HAIR, np.float32) - fields[..., 1:3]) * hair.cover[..., None]
    cover, roughness, specular, *base = cv2.split(enlarge(fields, small, full))
    made_up = np.minimum(1 - whole.seen - whole.mirrored, full.inside)

    opacity, tufts = stubble(cover, texel, seed)
    opacity = np.maximum(opacity, _covered_brows(both["brows"], small, cover.shape) * made_up * (0.5 + tufts))
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
    tone, redness = _mottled(faint, small, full, seed)
    tone += 0.022 * micro * faint
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
        log += RED[channel] * redness
        log *= bare
        log += (strand + hair.colour[channel]) * opacity
        log[~full.inside] = whole.typical[channel]
        albedo[..., channel] = _srgb(log)

    # Where a photo shows skin, pores below what it resolves are in the normals alone: its relief claims nothing else.
    shown = height + (PORES * DEPTH_MICRO) * micro * (1 - made_up) * bare
    if broad is not None:
        shown += enlarged(broad, full.size)
    normal = encoded(normals_of(shown, _pitch(small, full)))
    roughness -= 0.06 * micro * bare
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


def _covered_brows(brows: Floats, small: Atlas, shape: tuple[int, ...]) -> Floats:
    """Opacity (S, S) of brows painted where glasses hide them: along the middle of their area, soft at the edge."""
    deep = cv2.distanceTransform((brows > 0.5).astype(np.uint8), cv2.DIST_L2, 5) * small.texel
    reach = 2 * round(2 * BROW / small.texel) + 1
    crest = cv2.dilate(deep, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    middle = smoothstep(1.4 * BROW, 0.5 * BROW, crest - deep) * smoothstep(0, BROW, deep)
    # The strips of a brow's area that reach into the lids' folds are none.
    middle *= smoothstep(0.8, 1.02, cv2.GaussianBlur(brows, (0, 0), 0.0045 / small.texel))
    middle = cv2.GaussianBlur(middle.astype(np.float32), (0, 0), 0.2 * BROW / small.texel)
    opacity: Floats = cv2.resize(0.5 * middle, shape[::-1])
    return opacity


def _mottled(made_up: Floats, small: Atlas, full: Atlas, seed: int) -> tuple[Floats, Floats]:
    """What keeps invented skin from looking like plastic: slow changes of tone and of redness, (S, S) each."""
    random = np.random.default_rng(seed)
    texel = small.texel
    bands = []
    for length, amount in ((0.0016, MOTTLE), (0.005, MOTTLE), (0.003, 1.0), (0.009, 1.0)):
        noise = random.standard_normal((small.size, small.size)).astype(np.float32)
        noise = cv2.GaussianBlur(noise, (0, 0), length / texel)
        bands.append(joined(noise) * (amount / noise.std()))
    side = (full.size, full.size)
    tone, redness = (cv2.resize(bands[k] + bands[k + 1], side) for k in (0, 2))
    tone *= made_up
    redness *= made_up
    return tone, redness


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
