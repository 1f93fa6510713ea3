"""What is written about the module is true."""

import inspect
import os
import re
import subprocess
import sys
import tempfile

from helpers import ROOT

import ascribe
from ascribe import _core


def test_the_example_of_the_readme():
    text = re.search(r"```python file explain.py\n(.*?)```", (ROOT / "README.md").read_text(), re.S).group(1)
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", text + "assert picture.shape[2] == 3\n"],
            cwd=folder,
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": os.path.dirname(os.path.dirname(ascribe.__file__))},
        )
    assert done.returncode == 0 and done.stdout.splitlines()[1].split()[:2] == ["0", "conv2d"], done.stdout + done.stderr


def test_everything_public_is_documented_and_named():
    for name in ascribe.__all__:
        value = getattr(ascribe, name)
        assert (value.__doc__ or "").strip(), name
        assert callable(value), name
        for member, each in vars(value).items() if inspect.isclass(value) else ():
            if not member.startswith("_") and inspect.isfunction(each):
                assert each.__doc__, f"{name}.{member}"


def test_the_stub_names_what_the_extension_has():
    stub = (ROOT / "interpreter/python/ascribe/_core.pyi").read_text()
    named = set(re.findall(r"^(?:def|class) (\w+)", stub, re.M)) | {"version", "Error"}
    assert named == {name for name in dir(_core) if not name.startswith("_")}
    for name, body in re.findall(r"^class (\w+):\n((?:    .*\n|\n)+)", stub, re.M):
        members = set(re.findall(r"^    def (\w+)|^    (__members__)", body, re.M))
        for member in (each or other for each, other in members):
            assert hasattr(getattr(_core, name), member), f"{name}.{member}"
        own = {each for each in vars(getattr(_core, name)) if not each.startswith("_")}
        assert name == "ColourRange" or own <= {each for each, _ in members}, (name, own)
