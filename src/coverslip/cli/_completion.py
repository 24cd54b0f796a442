"""What a shell completes beyond commands, options and files: names of networks and keys of the recipe."""


def network_names(incomplete: str) -> list[str]:
    """Networks whose names begin so."""
    from coverslip.models import list_models

    return [record.name for record in list_models() if record.name.startswith(incomplete)]


def recipe_settings(incomplete: str) -> list[str]:
    """Keys that begin so, with the `=` that a value follows."""
    from coverslip.runs.recipe import recipe_keys

    return [f"{key.key}=" for key in recipe_keys() if key.key.startswith(incomplete)]
