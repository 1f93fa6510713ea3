"""The part of the fuzzers' corpus that is made when it is needed: what rule files and pages hold, piece by piece.

    python3 make_corpus.py FOLDER

The inputs that somebody thought out to be hostile are kept in corpus/; everything else is written somewhere already, and
a copy of it would stay behind when the language moves on.
"""

import hashlib
import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LARGEST = 4096  # what the fuzzers are given: -max_len of `./dev fuzz`

RULE_FILES = ["stdlib", "examples", "tests/language", "tests/rules/blocks"]
PAGES = ["README.md", "grammar", "stdlib", "examples"]


def files(places, ending):
    for place in places:
        path = ROOT / place
        yield from [path] if path.is_file() else sorted(path.rglob(f"*{ending}"))


def definitions(text):
    """A file's definitions, and the file if it is small; without the messages that tests expect."""
    text = re.sub(r"[ \t]*#!.*", "", text)
    yield text
    yield from re.split(r"\n(?=(?:rule|composite|fn|test|pack|import)\b)", text)


def code_blocks(page):
    """What stands in a page's blocks of code: definitions, and what is entered into sessions."""
    for kind, block in re.findall(r"^[ ]*```(rule|test|repl)\n(.*?)^[ ]*```$", page, re.MULTILINE | re.DOTALL):
        if kind == "repl":
            block = "\n".join(line[2:] for line in block.splitlines() if line.startswith(("> ", "… ")))
        yield from definitions(block)


def gather():
    for path in files(RULE_FILES, ".rule"):
        for piece in definitions(path.read_text(encoding="utf-8")):
            yield path, piece
    for path in files(PAGES, ".md"):
        for piece in code_blocks(path.read_text(encoding="utf-8")):
            yield path, piece


def main():
    folder = Path(sys.argv[1])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    written = set()  # the same piece may stand in several places
    for path, piece in gather():
        content = piece.strip().encode() + b"\n"
        if content in written or not 1 < len(content) <= LARGEST:
            continue
        written.add(content)
        name = re.sub(r"\W+", "_", str(path.relative_to(ROOT).with_suffix("")))
        (folder / f"{name}.{hashlib.sha1(content).hexdigest()[:8]}.rule").write_bytes(content)
    print(len(written), "inputs in", folder)


main()
