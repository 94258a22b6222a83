# SPDX-License-Identifier: GPL-3.0-or-later
"""What needs no Blender: reading avatar packages, setting the backend up, running it, talking to it."""
