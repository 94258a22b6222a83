# SPDX-License-Identifier: GPL-3.0-or-later
"""What needs no Blender: reading avatar packages."""
