"""The command in the module: the same bytes and exit codes as a program of its own."""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
import torch
from helpers import ROOT, close, refused

import ascribe

DIGITS = ROOT / "examples/digits"


def command(*arguments, **named):
    return subprocess.run([sys.executable, "-m", "ascribe", *map(str, arguments)], capture_output=True, text=True, **named)


def test_run_gives_what_attribute_gives():
    with tempfile.TemporaryDirectory() as folder:
        done = command(
            "run",
            "--model",
            DIGITS / "model.pt",
            "--input",
            DIGITS / "three.npy",
            "--rules",
            "epsilon_plus",
            "--target",
            3,
            "--output",
            f"{folder}/r.npy",
            "--heatmap",
            f"{folder}/r.png",
        )
        assert done.returncode == 0, done.stderr
        x = torch.from_numpy(numpy.load(DIGITS / "three.npy"))
        found = ascribe.attribute(DIGITS / "model.pt", "epsilon_plus", x, 3)
        close(found.relevance, torch.from_numpy(numpy.load(f"{folder}/r.npy")))
        assert Path(folder, "r.png").read_bytes()[:4] == b"\x89PNG"


def test_mistakes_and_exit_codes():
    done = command("check", input="")
    assert done.returncode == 2 and "PATH" in done.stderr, done
    done = command("runn")
    assert done.returncode == 2 and "did you mean" in done.stderr, done
    done = command("--version")
    assert done.returncode == 0 and done.stdout == f"ascribe {ascribe.__version__}\n", done


def test_tests_of_rule_files():
    results = ascribe.test(ROOT / "stdlib")
    assert len(results) > 10 and all(each.passed for each in results), [each for each in results if not each.passed]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "wrong.rule")
        file.write_text(
            'test "wrong" { model = linear(weight = [[1]])  x = [[1]]  expect sum(relevance(epsilon)) == 2 within 1e-3 }\n'
        )
        (wrong,) = ascribe.test(file)
        assert not wrong.passed and wrong.line == 1 and wrong.failures[0].code == "A0901" and wrong.failures[0].place.line == 1
        with refused("A0902", "no test is called"):
            ascribe.test(file, filter="x*")
        with refused("A0001"):
            ascribe.test(Path(folder, "none.rule"))
