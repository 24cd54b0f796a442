"""Where the command `coverslip` begins; `python -m coverslip` is the same."""

import gc
import sys


def main() -> int:
    """Run one command and give its exit code, also where Ctrl-C comes before its modules are imported."""
    # Imports make half a million objects that stay: to look through them again and again takes a tenth of a short job.
    gc.set_threshold(20_000, 20, 100)
    try:
        from coverslip.cli import main as run

        return run()
    except KeyboardInterrupt:
        print("Error: Interrupted.", file=sys.stderr)  # noqa: T201  this is the door
        return 130


if __name__ == "__main__":
    sys.exit(main())
