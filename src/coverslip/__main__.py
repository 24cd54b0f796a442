"""Where the command `coverslip` begins; `python -m coverslip` is the same."""

import sys


def main() -> int:
    """Run one command and give its exit code, also where Ctrl-C comes before its modules are imported."""
    try:
        from coverslip.cli import main as run

        return run()
    except KeyboardInterrupt:
        print("Error: Interrupted.", file=sys.stderr)  # noqa: T201  this is the door
        return 130


if __name__ == "__main__":
    sys.exit(main())
