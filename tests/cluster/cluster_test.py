"""examples/cluster: actors and drivers that die in the middle, broken inputs, Parquet, and parts by the command alone.

    python cluster_test.py ASCRIBE OUT

Needs Ray, pyarrow and the module `ascribe`.
"""
import io
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import numpy
import pyarrow
import pyarrow.parquet
import yaml
from PIL import Image

ROOT = pathlib.Path(__file__).parents[2]
CLUSTER, DIGITS = ROOT / "examples" / "cluster", ROOT / "examples" / "digits"
MODEL = str(DIGITS / "model.pt")
COUNT, BATCH = 240, 2
PARTS = COUNT // BATCH


def explain(out, *arguments, actors=0, given="in", wait=True, script=CLUSTER / "explain.py"):
    command = [sys.executable, str(script), "--model", MODEL, "--rules", "epsilon_plus", "--input", str(given),
               "--output", str(out), "--batch", str(BATCH), "--actors", str(actors), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    return finish(process) if wait else process


def finish(process):
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def contents(folder):
    return {each.name: each.read_bytes() for each in pathlib.Path(folder).iterdir() if each.name != ".lock"}


def wait_for_parts(folder, count, process):
    until = time.monotonic() + 120
    while len(list(pathlib.Path(folder).glob("part-*"))) < count:
        assert process.poll() is None, finish(process)
        assert time.monotonic() < until, "no parts came"
        time.sleep(0.005)


def workers():
    out = []
    for each in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if each.read_bytes().startswith(b"ray::MapWorker"):
                out.append(int(each.parent.name))
        except OSError:
            pass
    return out


def make_inputs():
    digits = [numpy.load(each) for each in sorted(DIGITS.glob("*.npy"))]
    generator = numpy.random.default_rng(7)
    pathlib.Path("in").mkdir(exist_ok=True)
    for i in range(COUNT):
        noise = 0.05 * generator.standard_normal(digits[0].shape)
        numpy.save(f"in/{i:04d}.npy", (digits[i % 10] + noise).astype(numpy.float32))
    pathlib.Path("in/0100.npy").write_bytes(b"no array")


def test_an_actor_that_is_killed_loses_nothing_and_repeats_nothing():
    code, out, err = explain("one", "--skip-broken")
    assert code == 1 and f"{COUNT} of them explained now, 1 broken" in out and "0100.npy: " in err, (code, out, err)
    assert len(contents("one")) == PARTS + 1
    process = explain("actors", "--skip-broken", actors=2, wait=False)
    wait_for_parts("actors", 8, process)
    victims = workers()
    assert victims, "no actor was found"
    os.kill(victims[0], signal.SIGKILL)
    left = len(list(pathlib.Path("actors").glob("part-*")))
    assert left < PARTS, "the work was over before an actor was killed"
    code, out, err = finish(process)
    assert code == 1 and f"{COUNT} of them explained now, 1 broken" in out, (code, out, err)
    assert contents("actors") == contents("one")


def test_a_run_that_was_cut_goes_on_and_gives_the_same_bytes():
    process = explain("cut", "--skip-broken", actors=2, wait=False)
    wait_for_parts("cut", 8, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    until = time.monotonic() + 60
    while workers() and time.monotonic() < until:
        time.sleep(0.1)
    done = len(list(pathlib.Path("cut").glob("part-*")))
    assert 8 <= done < PARTS
    code, out, err = explain("cut", "--skip-broken")
    assert code in (0, 1), err
    assert contents("cut") == contents("one")
    code, out, err = explain("cut", "--skip-broken")
    assert code == 0 and "0 of them explained now" in out, (code, out, err)


def test_an_input_that_kills_whoever_reads_it_ends_the_run_and_is_named():
    shutil.copytree(CLUSTER, "deadly")
    with open("deadly/parts.py", "a") as parts:
        parts.write("\n\nplain_read = read\n\n\ndef read(source, question):\n"
                    "    if source.name == \"0011.npy\":\n        os.kill(os.getpid(), 9)\n    return plain_read(source, question)\n")
    code, out, err = explain("killed", "--skip-broken", actors=2, script="deadly/explain.py")
    assert code == 1 and "actors die again and again" in err and "0011.npy" in err and "Traceback" not in err, (code, err)
    done = len(list(pathlib.Path("killed").glob("part-*")))
    assert done > 0
    code, out, err = explain("killed", "--skip-broken")  # whoever can read it goes on
    assert code in (0, 1) and f"{COUNT - done * BATCH} of them" in out, (out, err)
    assert contents("killed") == contents("one")


def test_inputs_that_changed_are_told():
    pathlib.Path("changing").mkdir()
    for name in ("0003.npy", "0004.npy"):
        shutil.copy(f"in/{name}", "changing")
    assert explain("of_changing", given="changing")[0] == 0
    numpy.save("changing/0003.npy", numpy.zeros((1, 2, 8, 8), numpy.float32))
    code, out, err = explain("of_changing", given="changing")
    assert code == 1 and "not the same inputs" in err, err


def test_what_is_wrong_is_told_in_a_line():
    code, out, err = explain("strict")
    assert code == 1 and "0100.npy: " in err and "--skip-broken" in err and "Traceback" not in err, err
    code, out, err = explain("one", "--target", "3")
    assert code == 1 and "is of another run: not the same question" in err, err
    pathlib.Path("garbage.pt2").write_bytes(b"no model")
    for wrong in (["--rules", "epsilon_pluss"], ["--model", "none.pt2"], ["--model", "garbage.pt2"]):
        code, out, err = explain("wrong", *wrong)
        assert code == 2 and "Traceback" not in err, err
    code, out, err = explain("strict", actors=2)
    assert code == 1 and "0100.npy: " in err and "--skip-broken" in err and "Traceback" not in err, err
    code, out, err = explain("wrong", given="nowhere")
    assert code == 1 and "there are no pictures" in err, err


def test_every_broken_input_is_counted():
    folder = pathlib.Path("broken")
    folder.mkdir()
    digit = numpy.load(DIGITS / "three.npy")
    numpy.save(folder / "a.npy", digit)
    numpy.save(folder / "b_two_samples.npy", numpy.concatenate([digit, digit]))
    numpy.save(folder / "c_no_dimensions.npy", numpy.float32(3))
    numpy.save(folder / "d_records.npy", numpy.zeros(3, dtype=[("a", "f4"), ("b", "i2")]))
    numpy.save(folder / "e_short.npy", numpy.zeros((1, 1, 1), numpy.float32))
    pyarrow.parquet.write_table(pyarrow.table({"image": [None, b"no picture"]}), folder / "f.parquet")
    pyarrow.parquet.write_table(pyarrow.table({"image": ["a path"]}), folder / "g.parquet")
    code, out, err = explain("counted", "--skip-broken", given=folder)
    assert code == 1 and "8 inputs, 8 of them explained now, 7 broken" in out and "Traceback" not in err, (code, out, err)
    rows = [row for part in sorted(pathlib.Path("counted").glob("part-*")) for row in pyarrow.parquet.read_table(part).to_pylist()]
    assert [row["name"] for row in rows if row["error"] is None] == ["a.npy"]
    (folder / "h.parquet").write_bytes(b"no parquet")
    code, out, err = explain("counted_too", "--skip-broken", given=folder)
    assert code == 1 and "h.parquet is no Parquet file" in err and "Traceback" not in err, err
    code, out, err = explain("in/out")
    assert code == 1 and "would be inputs" in err


def test_pictures_in_parquet_are_explained_as_in_files():
    rows = []
    for file in sorted(DIGITS.glob("*.npy")):
        digit = numpy.load(file)[0, 0]
        content = io.BytesIO()
        Image.fromarray(numpy.uint8(numpy.clip(digit / digit.max(), 0, 1) * 255)).save(content, "PNG")
        rows.append(content.getvalue())
        pathlib.Path("png").mkdir(exist_ok=True)
        pathlib.Path("png", file.stem + ".png").write_bytes(rows[-1])
    pyarrow.parquet.write_table(pyarrow.table({"image": rows}), "pictures.parquet")
    for out, given in (("of_files", "png"), ("of_rows", "pictures.parquet")):
        code, told, err = explain(out, "--format", "npz", given=given)
        assert code == 0, err
    for part in range(5):
        files, rows = (numpy.load(f"{out}/part-{part:06d}.npz") for out in ("of_files", "of_rows"))
        lines = [json.loads(line) for line in files["lines.jsonl"].tobytes().splitlines()]
        assert [line["sum"] for line in lines] == [json.loads(line)["sum"] for line in rows["lines.jsonl"].tobytes().splitlines()]
        for i, line in enumerate(lines):
            assert numpy.array_equal(files[line["name"]], rows[f"pictures.parquet:{BATCH * part + i}"])
    table = pyarrow.parquet.read_table("one/part-000000.parquet").to_pylist()
    assert table[0]["name"] == "0000.npy" and len(table[0]["relevance"]) == 64 and table[0]["shape"] == [1, 8, 8]


def test_the_command_does_parts_of_a_job_array_and_of_an_indexed_job(command):
    environment = os.environ | {"PATH": f"{pathlib.Path(command).parent}:{os.environ['PATH']}"}

    def run(arguments, **more):
        done = subprocess.run(arguments, env=environment | more, capture_output=True, text=True)
        assert done.returncode in (0, 1), done.stderr  # 1: the broken input

    run([command, "run", "--model", MODEL, "--rules", "epsilon_plus", "--input", "in", "--output", "whole/"])
    for task in range(4, 7):
        run(["sh", str(CLUSTER / "slurm.sh"), MODEL, "epsilon_plus", "in", "array"],
            SLURM_ARRAY_TASK_ID=str(task), SLURM_ARRAY_TASK_MIN="4", SLURM_ARRAY_TASK_COUNT="3", SLURM_CPUS_PER_TASK="1")
    job = yaml.safe_load((CLUSTER / "kubernetes.yaml").read_text())
    container = job["spec"]["template"]["spec"]["containers"][0]
    said, = container["args"]
    for old, new in (("/data/model.pt2", MODEL), ("/data/photos", "in"), ("/data/relevance/", "indexed/"),
                     ("epsilon_plus_flat", "epsilon_plus"), (f"/{job['spec']['completions']}", "/3")):
        assert old in said
        said = said.replace(old, new)
    for index in range(3):
        run([*container["command"], said], JOB_COMPLETION_INDEX=str(index))
    for out in ("array", "indexed"):
        names = sorted(each.name for each in pathlib.Path(out).glob("*.npy"))
        assert names == sorted(each.name for each in pathlib.Path("whole").glob("*.npy")) and len(names) == COUNT - 1
        for name in names:
            assert numpy.allclose(numpy.load(f"{out}/{name}"), numpy.load(f"whole/{name}"), rtol=1e-4, atol=1e-6)


def main():
    command, out = sys.argv[1:]
    out = pathlib.Path(out)
    subprocess.run(["rm", "-rf", str(out)], check=True)
    out.mkdir(parents=True)
    os.chdir(out)
    make_inputs()
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            began = time.monotonic()
            test(*[command] if test.__code__.co_argcount else [])
            print(f"{name.replace('_', ' ')}: passed, {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
