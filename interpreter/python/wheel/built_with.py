"""The wheel's version and what it needs: as the build says."""

import os
import runpy
from pathlib import Path


def dynamic_metadata(field, settings):
    build = Path(os.environ.get("ASCRIBE_BUILD") or Path(__file__).resolve().parents[3] / "build/release")
    built = build / "python/ascribe/_build.py"
    if not built.exists():
        raise RuntimeError(f"{built} is not there: ./dev wheel builds what a wheel is made of")
    found = runpy.run_path(str(built))
    return {"version": found["version"], "dependencies": [f"torch=={found['torch']}.*", "numpy"]}[field]
