#!/usr/bin/env python3
"""Which room may include which: `./dev lint` holds every `#include` of the sources against this table. Arrows point from
the bottom up; a room that is not here may not exist. Run in the repository's root."""
import re
import subprocess
import sys
from pathlib import PurePosixPath

LIBTORCH = "LibTorch"  # torch/, ATen/, c10/

# Room: what its files may include besides their own. The public headers are `include`.
ROOMS = {
    "grammar": [],
    "interpreter/language": ["grammar"],
    "interpreter/pack": ["grammar", "include", "interpreter/language"],
    "interpreter/assist": ["grammar", "include", "interpreter/language", "interpreter/pack"],
    "interpreter/server": ["grammar", "include", "interpreter/assist", "interpreter/language", "interpreter/pack"],
    "include": [LIBTORCH, "grammar"],
    "interpreter": [LIBTORCH, "include"],  # version and precompiled header
    "interpreter/libtorch": [LIBTORCH, "grammar", "include"],
    "interpreter/layers": [LIBTORCH, "grammar", "include", "interpreter/language", "interpreter/libtorch"],
    "interpreter/evaluate": [LIBTORCH, "grammar", "include", "interpreter/language", "interpreter/layers", "interpreter/libtorch"],
    "interpreter/evaluate/reference": [
        LIBTORCH, "grammar", "interpreter/evaluate", "interpreter/language", "interpreter/layers", "interpreter/libtorch"],
    "interpreter/evaluate/plan": [
        LIBTORCH, "grammar", "include", "interpreter/evaluate", "interpreter/evaluate/reference", "interpreter/language",
        "interpreter/layers", "interpreter/libtorch"],
    "interpreter/attach": [
        LIBTORCH, "grammar", "include", "interpreter/evaluate", "interpreter/language", "interpreter/layers",
        "interpreter/libtorch"],
    "interpreter/model": [LIBTORCH, "grammar", "include", "interpreter/layers", "interpreter/libtorch"],
    "interpreter/files": [LIBTORCH, "grammar", "include", "interpreter/libtorch", "interpreter/model", "interpreter/pack"],
    "interpreter/attribute": [
        LIBTORCH, "grammar", "include", "interpreter/attach", "interpreter/evaluate", "interpreter/language",
        "interpreter/libtorch", "interpreter/model"],
    "interpreter/picture": [LIBTORCH, "grammar", "include", "interpreter/files", "interpreter/libtorch"],
    "interpreter/testing": [
        LIBTORCH, "grammar", "include", "interpreter/attach", "interpreter/evaluate", "interpreter/evaluate/reference",
        "interpreter/language", "interpreter/libtorch", "interpreter/model"],
    "interpreter/command": [
        LIBTORCH, "grammar", "include", "interpreter/attribute", "interpreter/command/many", "interpreter/command/repl", "interpreter/evaluate",
        "interpreter/evaluate/plan", "interpreter/files", "interpreter/language", "interpreter/libtorch", "interpreter/model",
        "interpreter/pack", "interpreter/picture", "interpreter/testing"],
    "interpreter/command/many": [
        LIBTORCH, "grammar", "include", "interpreter/attribute", "interpreter/command", "interpreter/files", "interpreter/libtorch",
        "interpreter/model"],
    "interpreter/command/repl": [
        LIBTORCH, "grammar", "include", "interpreter/assist", "interpreter/attribute", "interpreter/command",
        "interpreter/evaluate", "interpreter/files", "interpreter/language", "interpreter/libtorch", "interpreter/model",
        "interpreter/pack", "interpreter/picture", "interpreter/testing"],
    "interpreter/python": [
        LIBTORCH, "grammar", "include", "interpreter/assist", "interpreter/command", "interpreter/language", "interpreter/libtorch",
        "interpreter/pack", "interpreter/testing"],
}


def room_of(path):
    if path.startswith(("interpreter/include/", "ascribe/")) or path == "interpreter/inside.hpp":
        return "include"
    return str(PurePosixPath(path).parent)


def sources():
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "grammar/*.?pp", "interpreter/*.?pp"],
                            check=True, capture_output=True, text=True)
    return listed.stdout.split()


def main():
    found = []
    for path in sources():
        room = room_of(path)
        if room not in ROOMS:
            found.append(f"{path}: the room {room} is not in the table")
            continue
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                include = re.match(r'#include ["<]([^">]+/[^">]+)[">]', line)
                if not include:
                    continue
                name = include.group(1)
                if re.match(r"(torch|ATen|c10)/", name):
                    other = LIBTORCH
                elif re.match(r"(grammar|interpreter|ascribe|tests)/", name):
                    other = room_of(name)
                else:
                    continue
                if other != room and other not in ROOMS[room]:
                    found.append(f"{path}:{number}: {room} may not include {other}")
    for each in found:
        print(each, file=sys.stderr)
    if found:
        sys.exit("which room may include which stands in tests/lint/rooms.py")


main()
