"""What is asked of every input, and a part of the inputs: read, explained, and written as one file."""
import contextlib
import dataclasses
import functools
import hashlib
import io
import json
import os
import pathlib
import tempfile
from typing import Any, Iterator, Optional

import ascribe
import numpy
import torch

PICTURES = (".png", ".jpg", ".jpeg", ".npy")


# ---- the question: what is asked of every input

@dataclasses.dataclass(frozen=True)
class Question:
    model: str
    rules: str  # a call in the standard pack, or `file.rule:call`
    target: Optional[int]
    prepare: str  # imagenet, or nothing
    form: str  # parquet or npz
    column: str  # of Parquet files: where pictures are
    batch: int
    skip_broken: bool

    def digest(self) -> str:
        files = [self.model] + ([self.rules.rpartition(":")[0]] if ".rule:" in self.rules else [])
        told = {name: value for name, value in dataclasses.asdict(self).items() if name != "skip_broken"}
        told["files"] = [hashlib.sha256(pathlib.Path(each).read_bytes()).hexdigest() for each in files]
        told["versions"] = [ascribe.__version__, torch.__version__]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    def read_rules(self) -> ascribe.Rules:
        file, colon, call = self.rules.rpartition(":")
        return ascribe.load(file).call(call) if colon and file.endswith(".rule") else ascribe.standard().call(self.rules)


# ---- inputs, and the parts of which they are cut

@dataclasses.dataclass(frozen=True)
class Source:
    """An input: a file, or a row of a Parquet file."""

    name: str
    path: str
    size: int  # of the file, in bytes
    row: Optional[int] = None


def sources(given: str) -> list[Source]:
    path = pathlib.Path(given)
    if path.is_dir():
        files = sorted(each for each in path.rglob("*") if each.suffix.lower() in (*PICTURES, ".parquet"))
    else:
        files = [path]
    if not files or not path.exists():
        raise SystemExit(f"explain.py: there are no pictures and no Parquet files in {given}")
    out = []
    for file in files:
        name = str(file.relative_to(path) if path.is_dir() else file.name)
        if file.suffix == ".parquet":
            import pyarrow.parquet

            try:
                count = pyarrow.parquet.ParquetFile(file).metadata.num_rows
            except (OSError, pyarrow.ArrowException) as error:
                raise SystemExit(f"explain.py: {file} is no Parquet file: {str(error).splitlines()[0]}") from None
            out += [Source(f"{name}:{row}", str(file.resolve()), file.stat().st_size, row) for row in range(count)]
        else:
            out.append(Source(name, str(file.resolve()), file.stat().st_size))
    return out


@functools.lru_cache(maxsize=4)
def rows_of(path: str, column: str) -> Any:
    import pyarrow.parquet

    return pyarrow.parquet.read_table(path, columns=[column], memory_map=True)[column]


def read(source: Source, question: Question) -> torch.Tensor:
    if source.row is None:
        content = pathlib.Path(source.path).read_bytes()
    else:
        content = rows_of(source.path, question.column)[source.row].as_py()
        if isinstance(content, dict):  # as Hugging Face's datasets store pictures
            content = content["bytes"]
    if not isinstance(content, bytes):
        raise ValueError(f"column {question.column} holds {type(content).__name__}, and not the bytes of a picture")
    if content.startswith(b"\x93NUMPY"):
        x = torch.from_numpy(numpy.load(io.BytesIO(content), allow_pickle=False))
        if x.dim() == 0 or x.shape[0] != 1:
            raise ValueError(f"an array of shape {list(x.shape)} is no input of one sample: [1, …]")
        return x
    return ascribe.read_picture(content, name=source.name, imagenet=question.prepare == "imagenet")


# ---- a part: its inputs are explained together, and written as one file

class Broken(Exception):
    """An input that cannot be explained, and was not to be skipped."""


class Explainer:
    """What an actor keeps: the model and the rules."""

    def __init__(self, question: Question, folder: str) -> None:
        torch.set_num_threads(1)  # every core has an actor
        self.question, self.folder = question, pathlib.Path(folder)
        self.rules, self.model = question.read_rules(), ascribe.Model.load(question.model)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Ray's: a row in, a row out."""
        part = int(row["part"])
        lines = self.explain(part, [Source(**each) for each in json.loads(row["sources"])])
        return {"part": part, "inputs": len(lines), "broken": json.dumps([each for each in lines if "error" in each])}

    def explain(self, part: int, inputs: list[Source]) -> list[dict[str, Any]]:
        lines: list[dict[str, Any]] = [{"name": each.name} for each in inputs]
        read_inputs: dict[int, torch.Tensor] = {}
        for place, source in enumerate(inputs):
            with self.told(lines[place]):
                read_inputs[place] = read(source, self.question)
        relevance: dict[int, numpy.ndarray] = {}
        for places in alike(read_inputs):
            try:
                relevance |= self.relevance_of(places, read_inputs, lines)
            except Exception:  # which of them it is
                for place in places:
                    with self.told(lines[place]):
                        relevance |= self.relevance_of([place], read_inputs, lines)
        write(part_file(self.folder, part, self.question), lines, relevance, self.question.form)
        return lines

    def relevance_of(self, places: list[int], inputs: dict[int, torch.Tensor], lines: list[dict[str, Any]]) -> dict[int, numpy.ndarray]:
        x = torch.cat([inputs[place] for place in places])
        found = ascribe.attribute(self.model, self.rules, x, self.question.target)
        assert found.relevance is not None
        for i, place in enumerate(places):
            best = int(found.output[i].argmax())
            lines[place] |= {"prediction": best, "score": float(found.output[i, best]), "start": float(found.start[i].sum(dtype=torch.float64)),
                             "sum": float(found.relevance[i].sum(dtype=torch.float64))}
        return {place: found.relevance[i].numpy() for i, place in enumerate(places)}

    @contextlib.contextmanager
    def told(self, line: dict[str, Any]) -> Iterator[None]:
        """What fails is the input's, and told."""
        try:
            yield
        except Exception as error:  # whatever a library says of a broken file
            if not self.question.skip_broken:
                raise Broken(f"{line['name']}: {error}") from None
            line["error"] = (str(error) or type(error).__name__).splitlines()[0]


def alike(inputs: dict[int, torch.Tensor]) -> list[list[int]]:
    """Those of one shape and type go through the model together."""
    out: dict[tuple[Any, ...], list[int]] = {}
    for place, x in inputs.items():
        out.setdefault((x.shape[1:], x.dtype), []).append(place)
    return list(out.values())


def part_file(folder: pathlib.Path, part: int, question: Question) -> pathlib.Path:
    return folder / f"part-{part:06d}.{question.form}"


def write(file: pathlib.Path, lines: list[dict[str, Any]], relevance: dict[int, numpy.ndarray], form: str) -> None:
    """The relevance of a part, and a line for each input in the schema's metadata or the archive."""
    told = "".join(json.dumps(each, sort_keys=True) + "\n" for each in lines)
    content = io.BytesIO()
    if form == "npz":
        numpy.savez(content, **{lines[place]["name"]: each for place, each in relevance.items()}, **{"lines.jsonl": numpy.frombuffer(told.encode(), numpy.uint8)})
    else:
        import pyarrow
        import pyarrow.parquet

        def column(key: str, type: Any) -> Any:
            return pyarrow.array([each.get(key) for each in lines], type)

        flat = [relevance[place].ravel() if place in relevance else None for place in range(len(lines))]
        shapes = [list(relevance[place].shape) if place in relevance else None for place in range(len(lines))]
        kind = pyarrow.from_numpy_dtype(next(iter(relevance.values())).dtype) if relevance else pyarrow.float32()
        table = pyarrow.table({
            "name": column("name", pyarrow.string()), "error": column("error", pyarrow.string()),
            "prediction": column("prediction", pyarrow.int64()), "score": column("score", pyarrow.float64()),
            "start": column("start", pyarrow.float64()), "sum": column("sum", pyarrow.float64()),
            "shape": pyarrow.array(shapes, pyarrow.list_(pyarrow.int64())),
            "relevance": pyarrow.array(flat, pyarrow.list_(kind))})
        pyarrow.parquet.write_table(table, content)
    write_whole(file, content.getvalue())


def write_whole(file: pathlib.Path, content: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}-", delete=False) as temporary:
        try:
            temporary.write(content)
            temporary.close()
            os.replace(temporary.name, file)
        except BaseException:
            os.unlink(temporary.name)
            raise
