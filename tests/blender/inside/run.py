"""``python run.py FILE``: pytest inside the bpy module."""

import os
import sys

import pytest

if __name__ == "__main__":
    code = pytest.main([*sys.argv[1:], "-p", "no:cacheprovider", "--confcutdir", os.path.dirname(__file__), "-rA"])  # noqa: PTH120
    sys.stdout.flush()
    sys.stderr.flush()
    # Leaving Python would unload Blender, which is not sure to end.
    os._exit(int(code))
