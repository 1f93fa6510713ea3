"""Runs a page of documentation as its reader would: its commands in the order in which they stand, in one shell, in an
empty folder that has the repository's files. What a fence's mark means:

    shell           commands; each has to succeed
    shell fails     the last one has to fail
    text            directly behind commands: what they print; `…` stands for anything, on a line of its own for any lines
    repl            a transcript of `ascribe repl`: lines that begin with a prompt are typed, the others are the answers;
                    `…` as above
    LANGUAGE file F the file F
    cpp, cmake      lines that stand like this in a file of examples/, which is built and run by other tests
    rule …          left to the tests of the language

Every other mark is an error: nothing on a page is only for show.

usage: run_page.py PAGE REPOSITORY FOLDER [NAME=VALUE…]    FOLDER is made anew; names are for the shell
"""

import difflib
import os
import pathlib
import re
import shutil
import subprocess
import sys

PROMPTS = ("> ", ". ")  # of `ascribe repl`: for what begins, and for what goes on


class Wrong(Exception):
    pass


def blocks(page):
    """The fenced blocks: (line number, mark, text, line number of its end)."""
    out, mark = [], None
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if line.startswith("```"):
            if mark is None:
                mark, begin, lines = line[3:].strip(), number, []
            else:
                out.append((begin, mark, "\n".join(lines) + "\n", number))
                mark = None
        elif mark is not None:
            lines.append(line)
    if mark is not None:
        raise Wrong(f"{page}:{begin}: the block has no end")
    return out


class Shell:
    """One shell for all blocks: folder and variables stay."""

    def __init__(self, folder, variables):
        self.folder = folder
        self.state = folder.parent / (folder.name + ".state")
        exports = "".join(f"export {name}={value!r}\n" for name, value in variables.items())
        self.state.write_text(f"cd {str(folder)!r}\n{exports}")

    def run(self, commands, keep_going=False):
        script = (
            f"source {str(self.state)!r}\n"
            f"trap 'code=$?; {{ export -p; echo cd \"$PWD\"; }} > {str(self.state)!r}; exit $code' EXIT\n"
            + ("" if keep_going else "set -e -o pipefail\n")
            + commands
        )
        done = subprocess.run(
            ["bash", "-c", script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        return done.returncode, done.stdout


def fits(printed, expected):
    """Whether lines are what was expected, `…` standing for anything."""

    def one(line):
        return ".*".join(re.escape(part.rstrip() if i == line.count("…") else part) for i, part in enumerate(line.split("…")))

    lines = ["(?:.*\n)*" if line.strip() == "…" else one(line) + "[ ]*\n" for line in expected.splitlines()]
    return re.fullmatch("".join(lines), "".join(line.rstrip() + "\n" for line in printed.splitlines())) is not None


def check_output(printed, expected):
    if not fits(printed, expected):
        difference = "\n".join(difflib.unified_diff(expected.splitlines(), printed.splitlines(), "the page", "printed", lineterm=""))
        raise Wrong(f"prints something else:\n{difference}")


def check_excerpt(text, repository, mark):
    """Whether lines stand like this, whatever their indentation, in an example."""
    wanted = [line.strip() for line in text.splitlines() if line.strip()]
    for path in sorted((repository / "examples").rglob("*.cpp" if mark == "cpp" else "CMakeLists.txt")):
        lines = [line.strip() for line in path.read_text().splitlines() if line.strip()]
        if any(lines[i : i + len(wanted)] == wanted for i in range(len(lines))):
            return
    raise Wrong(f"stands like this in no file of examples/:\n{text}")


def run_transcript(shell, text):
    typed, answers = [], []
    for line in text.splitlines(keepends=True):
        if line.startswith(PROMPTS) or line.rstrip("\n") + " " in PROMPTS:
            typed.append(line[2:] or "\n")
        else:
            answers.append(line)
    commands = f"ascribe repl <<'end of the transcript'\n{''.join(typed)}end of the transcript\n"
    code, printed = shell.run(commands)
    if code != 0:
        raise Wrong(f"ends with {code}:\n{printed}")
    check_output(printed, "".join(answers))


def prepare(folder, repository):
    """An empty folder that looks like a fresh clone. `dev` builds where it stands, so it is called there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=repository, stdout=subprocess.PIPE, check=True).stdout
    for name in sorted({each.split("/")[0] for each in listed.decode().split("\0") if each} - {"dev"}):
        (folder / name).symlink_to(repository / name)
    (folder / "build").symlink_to(repository / "build")
    # `./dev test` is what runs this.
    (folder / "dev").write_text(f"#!/bin/sh\n[ \"$1\" = test ] || exec {str(repository / 'dev')!r} \"$@\"\n")
    (folder / "dev").chmod(0o755)


def check_links(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.S | re.M)
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if "://" not in target and not (page.parent / target).exists():
            raise Wrong(f"{page}: links to {target}, which is not there")


def run_page(page, repository, folder, variables):
    prepare(folder, repository)
    home = folder.parent / (folder.name + ".home")
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    # What a page writes to `~` is not to be the user's, but what is cached and configured there serves.
    kept = {"XDG_CACHE_HOME": ".cache", "XDG_CONFIG_HOME": ".config"}
    users = {name: os.environ.get(name) or str(pathlib.Path.home() / place) for name, place in kept.items()}
    shell = Shell(folder, {"HOME": str(home), **users, **variables})
    printed, end = "", -1
    for begin, mark, text, last in blocks(page):
        print(f"{page.name}:{begin}: {mark}", flush=True)
        words = mark.split()
        try:
            if words[:1] == ["shell"] and len(words) <= 2:
                code, printed = shell.run(text, keep_going=words[1:] == ["fails"])
                end = last
                if (code != 0) != (words[1:] == ["fails"]):
                    raise Wrong(f"ends with {code}:\n{printed}")
            elif mark == "text":
                if not 0 <= begin - end <= 2:
                    raise Wrong("no commands stand directly before it")
                check_output(printed, text)
            elif mark == "repl":
                run_transcript(shell, text)
            elif len(words) == 3 and words[1] == "file":
                code, said = shell.run(f"mkdir -p \"$(dirname '{words[2]}')\"\ncat > '{words[2]}' <<'end of the file'\n{text}end of the file\n")
                if code != 0:
                    raise Wrong(said)
            elif mark in ("cpp", "cmake"):
                check_excerpt(text, repository, mark)
            elif words[:1] != ["rule"]:
                raise Wrong("a mark that nothing runs")
        except Wrong as wrong:
            raise Wrong(f"{page}:{begin}: {mark}: {wrong}") from None
    check_links(page)


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    page, repository, folder = (pathlib.Path(each).resolve() for each in sys.argv[1:4])
    try:
        run_page(page, repository, folder, dict(each.split("=", 1) for each in sys.argv[4:]))
    except Wrong as wrong:
        sys.exit(str(wrong))
