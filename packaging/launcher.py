"""The program of desktop packages: the command `coverslip`, and the Python of the processes that it starts.

Such a package has no separate interpreter: `sys.executable` is this program. Arguments as of `python -m MODULE …` and
`python -c CODE …` therefore run a module or code, with the options `-I`, `-P` and `-S`, which change nothing here.
"""

import multiprocessing
import runpy
import sys

_WITHOUT_EFFECT = ("-I", "-P", "-S")


def main() -> int:
    """Run the command, or the module or code that a parent process names."""
    multiprocessing.freeze_support()
    arguments = sys.argv[1:]
    while arguments and arguments[0] in _WITHOUT_EFFECT:
        del arguments[0]
    match arguments:
        case ["-m", "coverslip", *others]:
            sys.argv = [sys.argv[0], *others]
        case ["-m", module, *others]:
            sys.argv = [module, *others]
            runpy.run_module(module, run_name="__main__", alter_sys=True)
            return 0
        case ["-c", code, *others]:
            sys.argv = ["-c", *others]
            exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102  code of a parent process
            return 0
    from coverslip.__main__ import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
