"""Whether the rules that pages show are written as `ascribe fmt` writes them, so that what is copied from a page passes
`ascribe fmt --check`. A block that the grammar refuses, as those that show a mistake of it, has no such form.

usage: rule_blocks.py COMMAND PAGE…    COMMAND is `ascribe`; --write makes the pages so
"""

import pathlib
import subprocess
import sys

FINE, FINDINGS, NOT_READABLE = 0, 1, 3


def canonical(command, text):
    """The block as it should be, or None where it cannot be read."""
    formatted = subprocess.run([command, "fmt", "-"], input=text, capture_output=True, text=True)
    return formatted.stdout if formatted.returncode == FINE else None


def blocks(lines):
    """(first line, line behind the last, mark) of each block, counted from 0."""
    begin = None
    for number, line in enumerate(lines):
        if not line.startswith("```"):
            continue
        if begin is None:
            begin, mark = number + 1, line[3:].strip()
        else:
            yield begin, number, mark
            begin = None


def main():
    arguments = [each for each in sys.argv[1:] if each != "--write"]
    write = len(arguments) < len(sys.argv) - 1
    command, pages = arguments[0], arguments[1:]
    seen = wrong = 0
    for page in map(pathlib.Path, pages):
        lines = page.read_text(encoding="utf-8").splitlines()
        for begin, end, mark in reversed(list(blocks(lines))):
            if mark.split(" ")[0] != "rule":
                continue
            text = "\n".join(lines[begin:end]) + "\n"
            wanted = canonical(command, text)
            seen += wanted is not None
            if wanted is None or wanted == text:
                continue
            if write:
                lines[begin:end] = wanted.splitlines()
                continue
            wrong += 1
            print(f"{page}:{begin + 1}: the block is not as `ascribe fmt` writes it, which is:\n{wanted}")
        if write:
            page.write_text("\n".join(lines) + "\n", encoding="utf-8")
    if seen < 20:
        sys.exit(f"only {seen} blocks were found that can be read")
    sys.exit(FINDINGS if wrong else FINE)


main()
