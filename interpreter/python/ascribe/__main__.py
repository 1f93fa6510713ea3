"""The command: `python -m ascribe run …`, and `ascribe` on the path."""

import os
import signal
import sys


def main() -> None:
    # The command handles signals itself, as a program without Python does.
    for each in (signal.SIGINT, signal.SIGPIPE):
        signal.signal(each, signal.SIG_DFL)
    here = os.path.dirname(os.path.abspath(__file__))
    os.environ["PATH"] = here + os.pathsep + os.environ.get("PATH", "")  # where the language server lies
    from ascribe import _core

    sys.stdout.flush()
    code = _core.run_command(["ascribe", *sys.argv[1:]])
    sys.stdout.flush()
    os._exit(code)  # no thread of PyTorch's is waited for


if __name__ == "__main__":
    main()
