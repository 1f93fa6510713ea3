#!/usr/bin/env python3
"""Explains a folder of pictures, or Parquet files with pictures in a column, on all cores of one machine or many.

    pip install "ray[data]" ascribe-*.whl
    python explain.py --model model.pt2 --rules epsilon_plus_flat --input photos/ --output relevance/

The inputs, in order, are cut into parts. Actors of Ray load the model and the rules once, and write each part as a file
that is whole or not there; whoever dies is started again, and its part once more. Run again after a cut, it does what is
not done yet. A part has the same bytes whoever made it: one process (`--actors 0`) or a hundred.
"""
import argparse
import dataclasses
import fcntl
import hashlib
import json
import logging
import os
import pathlib
import sys
import time
from typing import Any, Iterator, Optional

import ascribe
from parts import Broken, Explainer, Question, Source, part_file, sources, write_whole


locks = []
MOST_DEATHS = 4  # at one part: then it is the part's, and no accident


def parts_to_do(folder: pathlib.Path, inputs: list[Source], question: Question) -> list[dict[str, Any]]:
    """The parts that are not there yet. Refuses to go on with what another question began."""
    folder.mkdir(parents=True, exist_ok=True)
    run = folder / "run.json"
    asked = {"question": question.digest(), "inputs": hashlib.sha256("\n".join(f"{each.name} {each.size}" for each in inputs).encode()).hexdigest()}
    lock = open(folder / ".lock", "w")  # until this process ends
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise SystemExit(f"explain.py: another run writes into {folder}; wait until it ends, or choose another folder") from None
    locks.append(lock)
    for each in folder.glob(".part-*"):  # of who was killed while it wrote
        each.unlink(missing_ok=True)
    if not run.exists():
        write_whole(run, json.dumps(asked).encode())
    elif (before := json.loads(run.read_text())) != asked:
        differs = next(name for name in asked if asked[name] != before.get(name))
        raise SystemExit(f"explain.py: {folder} is of another run: not the same {differs}; choose another folder for --output")
    parts = [inputs[first:first + question.batch] for first in range(0, len(inputs), question.batch)]
    return [{"part": part, "sources": json.dumps([dataclasses.asdict(each) for each in those])}
            for part, those in enumerate(parts) if not part_file(folder, part, question).exists()]


def by_ray(rows: list[dict[str, Any]], question: Question, folder: pathlib.Path, actors: int, address: Optional[str]) -> Iterator[dict[str, Any]]:
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    import ray
    import ray.data

    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    ray.init(address=address, log_to_driver=False, logging_level="critical", include_dashboard=False,
             runtime_env={"working_dir": str(pathlib.Path(__file__).parent)},  # parts.py, on every machine
             **({} if address else {"num_cpus": actors, "object_store_memory": 1 << 28}))
    ray.data.DataContext.get_current().enable_progress_bars = False
    # Ray starts a dead actor again, and what it was at is done once more; a broken input is no reason to try again.
    explained = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
        Explainer, fn_constructor_args=(question, str(folder)), compute=ray.data.ActorPoolStrategy(size=actors), num_cpus=1,
        max_restarts=MOST_DEATHS, max_task_retries=MOST_DEATHS)
    try:
        yield from explained.iter_rows()
    finally:
        ray.shutdown()


def in_this_process(rows: list[dict[str, Any]], question: Question, folder: pathlib.Path) -> Iterator[dict[str, Any]]:
    explainer = Explainer(question, str(folder))
    yield from map(explainer, rows)


def causes(error: Optional[BaseException]) -> Iterator[BaseException]:
    """The error, and all that Ray wrapped around."""
    while error is not None:
        yield error
        error = getattr(error, "cause", None) or error.__cause__


def reason_of(error: BaseException) -> Optional[str]:
    """Of a broken input."""
    for each in causes(error):
        if isinstance(each, Broken):
            return str(each)
        if "Broken: " in (text := str(each)):
            return text.rpartition("Broken: ")[2].splitlines()[0]
    return None


def died(error: BaseException) -> bool:
    """Whether it is the end of an actor, and not what one has thrown."""
    return any("ActorDied" in type(each).__name__ or "ActorDiedError" in str(each) for each in causes(error))


def main() -> int:
    parser = argparse.ArgumentParser(description="Explains many pictures on all cores of one machine or many.")
    parser.add_argument("--model", required=True, help="an exported program (.pt2), or TorchScript (.pt)")
    parser.add_argument("--rules", required=True, help="a composite of the standard pack with its arguments, or FILE.rule:COMPOSITE")
    parser.add_argument("--input", required=True, help="a folder, a picture, or a Parquet file; on many machines, where all find it")
    parser.add_argument("--output", required=True, type=pathlib.Path, help="a folder, in which a run that was cut goes on")
    parser.add_argument("--target", type=int, help="an output (default: each picture's largest)")
    parser.add_argument("--prepare", choices=["imagenet"], default="", help="what is done with pictures before")
    parser.add_argument("--format", choices=["parquet", "npz"], default="parquet", dest="form")
    parser.add_argument("--column", default="image", help="of Parquet files: where the pictures are, as bytes")
    parser.add_argument("--batch", type=int, default=8, help="inputs in a part, which go through the model together")
    parser.add_argument("--actors", type=int, default=os.cpu_count() or 1, help="processes; 0: this one alone")
    parser.add_argument("--address", help="of a cluster that runs already: auto, or ray://host:10001")
    parser.add_argument("--skip-broken", action="store_true", help="what cannot be explained is counted, and not the end")
    given = vars(parser.parse_args())
    folder, actors, address, where = (given.pop(name) for name in ("output", "actors", "address", "input"))
    if given["batch"] < 1 or actors < 0:
        parser.error("--batch is 1 or more, --actors 0 or more")
    try:
        # Actors have working folders of their own.
        folder, file = folder.resolve(), given["rules"].rpartition(":")[0]
        rules = os.path.abspath(file) + given["rules"][len(file):] if file.endswith(".rule") else given["rules"]
        question = Question(**given | {"model": os.path.abspath(given["model"]), "rules": rules})
        question.read_rules(), ascribe.Model.load(question.model)  # a mistake is told before anything is started
        if folder.is_relative_to(pathlib.Path(where).resolve()):
            raise SystemExit("explain.py: --output lies in --input: its files would be inputs of the next run")
        inputs = sources(where)
        rows = parts_to_do(folder, inputs, question)
    except (ascribe.Error, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    began, done, broken = time.monotonic(), 0, 0
    waiting = sum(len(json.loads(row["sources"])) for row in rows)
    try:
        for row in by_ray(rows, question, folder, actors, address) if rows and actors else in_this_process(rows, question, folder):
            done += row["inputs"]
            for each in json.loads(row["broken"]):
                broken += 1
                print(f"\r{each['name']}: {each['error']}", file=sys.stderr)
            rate = done / (time.monotonic() - began)
            if sys.stderr.isatty():
                print(f"\r{done} of {waiting}, {rate:.1f}/s, {(waiting - done) / rate:.0f} s left ", end="", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"\nstopped: {done} of {waiting} are done; the same command goes on", file=sys.stderr)
        return 130
    except Exception as error:
        if reason := reason_of(error):
            print(f"explain.py: {reason}\n  what was done stays; --skip-broken counts it, and goes on", file=sys.stderr)
        elif died(error):
            part = next(row for row in rows if not part_file(folder, row["part"], question).exists())
            names = [each["name"] for each in json.loads(part["sources"])]
            print(f"explain.py: actors die again and again; not done is part {part['part']} ({', '.join(names)}), and perhaps others\n"
                  "  what was done stays; the same command with --actors 0 shows what kills them", file=sys.stderr)
        else:
            raise
        return 1
    print(f"{len(inputs)} inputs, {done} of them explained now{f', {broken} broken' if broken else ''}: {folder}/part-*.{question.form}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
