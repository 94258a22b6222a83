"""The rasteriser's kernels, in Warp's own dialect of Python; compiled for CPU and CUDA."""

import warp as wp

__all__ = ["cover", "place"]

wp.config.log_level = wp.LOG_ERROR


@wp.func
def edge(a: wp.vec3, b: wp.vec3, x: float, y: float) -> float:
    return (b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0])


@wp.kernel
def cover(
    points: wp.array(dtype=wp.vec3),
    triangles: wp.array2d(dtype=wp.int32),
    facing: float,
    width: int,
    height: int,
    near: float,
    keys: wp.array2d(dtype=wp.int64),
) -> None:
    """Leave in each pixel the key (depth, triangle) of what is nearest there; one thread per triangle."""
    t = wp.tid()
    a = points[triangles[t, 0]]
    b = points[triangles[t, 1]]
    c = points[triangles[t, 2]]
    if wp.min(wp.min(a[2], b[2]), c[2]) <= near:
        return
    area = edge(a, b, c[0], c[1])
    if area == 0.0 or area * facing < 0.0:
        return
    # Clamped before the conversion: a float beyond the range of int has no defined value.
    left = int(wp.clamp(wp.floor(wp.min(wp.min(a[0], b[0]), c[0]) - 0.5), 0.0, float(width)))
    right = int(wp.clamp(wp.ceil(wp.max(wp.max(a[0], b[0]), c[0]) - 0.5), -1.0, float(width - 1)))
    top = int(wp.clamp(wp.floor(wp.min(wp.min(a[1], b[1]), c[1]) - 0.5), 0.0, float(height)))
    bottom = int(wp.clamp(wp.ceil(wp.max(wp.max(a[1], b[1]), c[1]) - 0.5), -1.0, float(height - 1)))
    for row in range(top, bottom + 1):
        y = float(row) + 0.5
        for column in range(left, right + 1):
            x = float(column) + 0.5
            u = edge(b, c, x, y) / area
            v = edge(c, a, x, y) / area
            w = 1.0 - u - v
            if u >= 0.0 and v >= 0.0 and w >= 0.0:
                depth = 1.0 / (u / a[2] + v / b[2] + w / c[2])
                # Bits of positive floats sort as the floats do: the nearest triangle has the smallest key.
                key = wp.lshift(wp.int64(wp.cast(depth, wp.int32)), wp.int64(32)) + wp.int64(t)
                wp.atomic_min(keys, row, column, key)


@wp.kernel
def place(
    points: wp.array(dtype=wp.vec3),
    triangles: wp.array2d(dtype=wp.int32),
    keys: wp.array2d(dtype=wp.int64),
    empty: wp.int64,
    triangle: wp.array2d(dtype=wp.int64),
    barycentric: wp.array2d(dtype=wp.vec3),
    depth: wp.array2d(dtype=float),
) -> None:
    """Read triangle, barycentrics and depth off the keys; one thread per pixel."""
    row, column = wp.tid()
    key = keys[row, column]
    if key == empty:
        triangle[row, column] = wp.int64(-1)
        depth[row, column] = wp.inf
        return
    t = wp.int32(key & wp.int64(0xFFFFFFFF))
    a = points[triangles[t, 0]]
    b = points[triangles[t, 1]]
    c = points[triangles[t, 2]]
    x = float(column) + 0.5
    y = float(row) + 0.5
    area = edge(a, b, c[0], c[1])
    u = edge(b, c, x, y) / area
    v = edge(c, a, x, y) / area
    near = wp.vec3(u / a[2], v / b[2], (1.0 - u - v) / c[2])
    z = 1.0 / (near[0] + near[1] + near[2])
    triangle[row, column] = wp.int64(t)
    barycentric[row, column] = near * z
    depth[row, column] = z
