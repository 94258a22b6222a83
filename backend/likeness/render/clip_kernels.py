"""Kernels of the clip-space rasteriser, in Warp's own dialect of Python; compiled for CPU and CUDA.

Source: Olano and Greer, "Triangle Scan Conversion using 2D Homogeneous Coordinates", HWWS 1997, with the rules of
tf_mesh_renderer (Genova et al., 2018). Single precision and the order of operations are part of the rules: neighbours
across an edge must come to the same number with the other sign, so nothing may be fused.
"""

import warp as wp

__all__ = ["cover_clip", "place_clip", "pull_back"]

wp.config.log_level = wp.LOG_ERROR
wp.set_module_options({"fuse_fp": False, "enable_backward": False})


@wp.func
def edges(a: wp.vec4, b: wp.vec4, c: wp.vec4) -> wp.mat33:
    """Rows: what times (x, y, 1) is the edge function across from each corner; positive inside, for both windings."""
    m00 = b[1] * c[3] - b[3] * c[1]
    m01 = c[0] * b[3] - c[3] * b[0]
    m02 = b[0] * c[1] - b[1] * c[0]
    m10 = c[1] * a[3] - c[3] * a[1]
    m11 = a[0] * c[3] - a[3] * c[0]
    m12 = c[0] * a[1] - c[1] * a[0]
    m20 = a[1] * b[3] - a[3] * b[1]
    m21 = b[0] * a[3] - b[3] * a[0]
    m22 = a[0] * b[1] - a[1] * b[0]
    determinant = a[0] * m00 + b[0] * m10 + c[0] * m20
    sign = wp.where(determinant < 0.0, -1.0, 1.0)
    return wp.mat33(
        sign * m00, sign * m01, sign * m02, sign * m10, sign * m11, sign * m12, sign * m20, sign * m21, sign * m22
    )


@wp.func
def centre(index: int, size: int) -> float:
    """Of a pixel, in normalised device coordinates; rounded once."""
    return wp.float32((wp.float64(index) + wp.float64(0.5)) / (wp.float64(0.5) * wp.float64(size)) - wp.float64(1.0))


@wp.func
def pixel(x: float, w: float, size: int) -> float:
    """A clip-space coordinate as pixels from the picture's first edge."""
    return wp.float32((wp.float64(x / w) + wp.float64(1.0)) * (wp.float64(0.5) * wp.float64(size)))


@wp.func
def first(a: float, b: float, c: float, size: int) -> int:
    # Clamped before the conversion: a float beyond the range of int has no defined value.
    return int(wp.clamp(wp.floor(wp.min(wp.min(a, b), c)), 0.0, float(size)))


@wp.func
def last(a: float, b: float, c: float, size: int) -> int:
    return int(wp.clamp(wp.ceil(wp.max(wp.max(a, b), c)), 0.0, float(size)))


@wp.func
def value(m: wp.mat33, row: int, x: float, y: float) -> float:
    return (m[row, 0] * x + m[row, 1] * y) + m[row, 2]


@wp.func
def weights(m: wp.mat33, x: float, y: float) -> wp.vec3:
    """Barycentric coordinates at a pixel; all 0 where it is outside or the triangle has no area."""
    e0 = value(m, 0, x, y)
    e1 = value(m, 1, x, y)
    e2 = value(m, 2, x, y)
    if e0 < 0.0 or e1 < 0.0 or e2 < 0.0:
        return wp.vec3(0.0, 0.0, 0.0)
    total = (e0 + e1) + e2
    if total > 0.0:
        return wp.vec3(e0 / total, e1 / total, e2 / total)
    return wp.vec3(0.0, 0.0, 0.0)


@wp.func
def depth_at(a: wp.vec4, b: wp.vec4, c: wp.vec4, share: wp.vec3) -> float:
    """Normalised device depth; + 0 makes -0 a 0."""
    z = (share[0] * a[2] + share[1] * b[2]) + share[2] * c[2]
    w = (share[0] * a[3] + share[1] * b[3]) + share[2] * c[3]
    return z / w + 0.0


@wp.kernel
def cover_clip(
    points: wp.array2d(dtype=wp.vec4),
    triangles: wp.array2d(dtype=wp.int32),
    width: int,
    height: int,
    keys: wp.array3d(dtype=wp.int64),
) -> None:
    """Leave in each pixel the key (depth, triangle) of what shows there; one thread per picture and triangle."""
    picture, t = wp.tid()
    a = points[picture, triangles[t, 0]]
    b = points[picture, triangles[t, 1]]
    c = points[picture, triangles[t, 2]]
    if a[3] < 0.0 and b[3] < 0.0 and c[3] < 0.0:
        return
    left = 0
    right = width
    bottom = 0
    top = height
    if a[3] > 0.0 and b[3] > 0.0 and c[3] > 0.0:
        ax = pixel(a[0], a[3], width)
        bx = pixel(b[0], b[3], width)
        cx = pixel(c[0], c[3], width)
        ay = pixel(a[1], a[3], height)
        by = pixel(b[1], b[3], height)
        cy = pixel(c[1], c[3], height)
        left = first(ax, bx, cx, width)
        right = last(ax, bx, cx, width)
        bottom = first(ay, by, cy, height)
        top = last(ay, by, cy, height)
    m = edges(a, b, c)
    for row in range(bottom, top):
        y = centre(row, height)
        for column in range(left, right):
            share = weights(m, centre(column, width), y)
            if share[0] + share[1] + share[2] > 0.0:
                z = depth_at(a, b, c, share)
                if z >= -1.0 and z <= 1.0:
                    # Bits of floats sort as the floats do once those of negative ones are turned round; of equal
                    # depths the last triangle shows, so the highest number has the smallest key.
                    bits = wp.cast(z, wp.int32)
                    if bits < 0:
                        bits = bits ^ wp.int32(0x7FFFFFFF)
                    key = wp.lshift(wp.int64(bits), wp.int64(32)) + (wp.int64(0x7FFFFFFF) - wp.int64(t))
                    wp.atomic_min(keys, picture, row, column, key)


@wp.kernel
def place_clip(
    points: wp.array2d(dtype=wp.vec4),
    triangles: wp.array2d(dtype=wp.int32),
    keys: wp.array3d(dtype=wp.int64),
    empty: wp.int64,
    width: int,
    height: int,
    triangle: wp.array3d(dtype=wp.int64),
    barycentric: wp.array3d(dtype=wp.vec3),
    depth: wp.array3d(dtype=float),
) -> None:
    """Read triangle, barycentrics and depth off the keys; one thread per pixel."""
    picture, row, column = wp.tid()
    key = keys[picture, row, column]
    if key == empty:
        depth[picture, row, column] = 1.0
        return
    t = wp.int32(wp.int64(0x7FFFFFFF) - (key & wp.int64(0xFFFFFFFF)))
    a = points[picture, triangles[t, 0]]
    b = points[picture, triangles[t, 1]]
    c = points[picture, triangles[t, 2]]
    share = weights(edges(a, b, c), centre(column, width), centre(row, height))
    triangle[picture, row, column] = wp.int64(t)
    barycentric[picture, row, column] = share
    depth[picture, row, column] = depth_at(a, b, c, share)


@wp.kernel
def pull_back(
    points: wp.array2d(dtype=wp.vec4),
    triangles: wp.array2d(dtype=wp.int32),
    triangle: wp.array3d(dtype=wp.int64),
    barycentric: wp.array3d(dtype=wp.vec3),
    upstream: wp.array3d(dtype=wp.vec3),
    width: int,
    height: int,
    gradient: wp.array2d(dtype=wp.vec4),
) -> None:
    """Add to each corner's gradient what a pixel's barycentrics pass on; z gets none. One thread per pixel.

    With v = (x, y, w) and p = (px, py, 1), e0 = (v1 x v2) . p and so on: b_i = e_i / e with e = e0 + e1 + e2. As the
    three e_i v_i add up to the determinant times p, moving corner k changes b by b_k / e times one and the same vector.
    """
    picture, row, column = wp.tid()
    share = barycentric[picture, row, column]
    if share[0] + share[1] + share[2] < 0.9:
        return
    t = wp.int32(triangle[picture, row, column])
    a = points[picture, triangles[t, 0]]
    b = points[picture, triangles[t, 1]]
    c = points[picture, triangles[t, 2]]
    up = upstream[picture, row, column]
    p = wp.vec3(centre(column, width), centre(row, height), 1.0)
    v0 = wp.vec3(a[0], a[1], a[3])
    v1 = wp.vec3(b[0], b[1], b[3])
    v2 = wp.vec3(c[0], c[1], c[3])
    total = wp.dot(wp.cross(v1, v2) + wp.cross(v2, v0) + wp.cross(v0, v1), p)
    common = wp.cross(p, up[0] * (v1 - v2) + up[1] * (v2 - v0) + up[2] * (v0 - v1)) / total
    g0 = share[0] * common
    g1 = share[1] * common
    g2 = share[2] * common
    wp.atomic_add(gradient, picture, triangles[t, 0], wp.vec4(g0[0], g0[1], 0.0, g0[2]))
    wp.atomic_add(gradient, picture, triangles[t, 1], wp.vec4(g1[0], g1[1], 0.0, g1[2]))
    wp.atomic_add(gradient, picture, triangles[t, 2], wp.vec4(g2[0], g2[1], 0.0, g2[2]))
