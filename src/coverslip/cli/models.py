"""`coverslip models`: the networks one can choose from."""

from dataclasses import asdict
from typing import Annotated

import typer

from coverslip.cli._options import AsJson


def models(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Tell more about one of them.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the networks, or tell more about one.

    Examples:

      coverslip models

      coverslip models efficientnet_lite0
    """
    from coverslip.cli._show import print_json, results_console, show_models, show_record
    from coverslip.models import list_models, model_info

    if name is not None:
        record = asdict(model_info(name))
        if as_json:
            print_json(record)
        else:
            show_record(results_console(), record)
        return
    records = [asdict(record) for record in list_models()]
    if as_json:
        print_json({"models": records})
    else:
        show_models(results_console(), records)
