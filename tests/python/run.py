"""Runs the tests of this folder, and the examples in the module's documentation: every function test_… of *_test.py.

    run.py [PART]     those whose file or name has PART in it; the module `ascribe` is on the path

One process for all, without pytest, which runs them as well. A function may raise Skipped.
"""

import doctest
import importlib
import os
import pkgutil
import sys
import time
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from helpers import Skipped  # noqa: E402


def examples():
    """The examples of each module of the package."""
    import ascribe

    for each in pkgutil.iter_modules(ascribe.__path__):
        if each.name in ("__main__", "_core"):
            continue
        module = importlib.import_module(f"ascribe.{each.name}")

        def test(module=module):
            found = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
            assert found.failed == 0, f"{found.failed} examples fail"

        yield f"examples of {module.__name__}", test

    def test_package():
        found = doctest.testmod(ascribe, optionflags=doctest.ELLIPSIS)
        assert found.failed == 0 and found.attempted > 0, f"{found.failed} examples fail"

    yield "examples of ascribe", test_package


def tests():
    for file in sorted(HERE.glob("*_test.py")):
        module = importlib.import_module(file.stem)
        for name, function in list(vars(module).items()):
            if name.startswith("test_"):
                yield f"{file.stem}.{name}", function
    yield from examples()


def main(part=""):
    import torch

    torch.set_num_threads(1)  # threads that wait for work spin: small networks on a busy machine take ten times as long
    count = failed = skipped = 0
    for name, function in tests():
        if part not in name:
            continue
        began = time.perf_counter()
        try:
            count += 1
            function()
        except Skipped as why:
            skipped += 1
            print(f"left out: {name}: {why}")
        except BaseException:
            failed += 1
            print(f"FAILED: {name}")
            traceback.print_exc(file=sys.stdout)
        took = time.perf_counter() - began
        if took > 5 or os.environ.get("ASCRIBE_TEST_TIMES"):
            print(f"{took:.1f} s: {name}")
    print(f"{count - failed - skipped} of {count} tests passed" + (f", {skipped} left out" if skipped else ""))
    sys.exit(1 if failed or count == 0 else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
