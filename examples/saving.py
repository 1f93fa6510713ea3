"""Saves the examples' models and arrays: whole or not at all, and without a trace of the machine that made them."""

import io
import os
from pathlib import Path

import numpy as np
import torch

# Every PyTorchFileWriter adds these itself.
VERSIONS = ("version", ".data/version")  # where it stands depends on the version
ADDED_BY_WRITER = {*VERSIONS, "byteorder", ".data/serialization_id"}


def save_model(module: torch.jit.ScriptModule, path: Path) -> None:
    """Writes TorchScript without its `.debug_pkl` records, which hold the source paths of this machine."""
    saved = io.BytesIO()
    torch.jit.save(module, saved)
    write(path, without_source_paths(saved))


def without_source_paths(saved: io.BytesIO) -> bytes:
    # The writer of PyTorch, not zipfile: loading maps the weights, so records are uncompressed and 64-byte aligned.
    saved.seek(0)
    reader = torch._C.PyTorchFileReader(saved)
    stripped = io.BytesIO()
    writer = torch._C.PyTorchFileWriter(stripped)
    records = reader.get_all_records()
    writer.set_min_version(int(reader.get_record(next(name for name in VERSIONS if name in records))))
    for name in records:
        if name not in ADDED_BY_WRITER and not name.endswith(".debug_pkl"):
            record = reader.get_record(name)
            writer.write_record(name, record, len(record))
    writer.write_end_of_file()

    for folder in (Path(torch.__file__).parent, Path(__file__).resolve().parent):
        if str(folder).encode() in stripped.getvalue():
            raise RuntimeError(f"the saved model still names {folder}")
    return stripped.getvalue()


def save_array(array: np.ndarray, path: Path) -> None:
    data = io.BytesIO()
    np.save(data, array)
    write(path, data.getvalue())


def write(path: Path, data: bytes) -> None:
    """Writes beside `path` first, so that a file under its final name is always complete."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.unfinished")
    try:
        unfinished.write_bytes(data)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
