"""Shell completion of network names and recipe keys."""


def network_names(incomplete: str) -> list[str]:
    """Return the networks whose names have this prefix."""
    from coverslip.models import list_models

    return [record.name for record in list_models() if record.name.startswith(incomplete)]


def recipe_settings(incomplete: str) -> list[str]:
    """Return the keys with this prefix, each followed by `=`."""
    from coverslip.runs.recipe import recipe_keys

    return [f"{key.key}=" for key in recipe_keys() if key.key.startswith(incomplete)]
