"""A plan with the networks and initial weights that somebody chose, instead of those of the plan."""

from collections.abc import Sequence

from coverslip.studies.plan import Changes, StudyPlan, plan_of


def with_choices(
    plan: StudyPlan, *, models: Sequence[str] = (), regimes: Sequence[str] = (), more_regimes: Sequence[Changes] = ()
) -> StudyPlan:
    """Return the plan with other networks and initializations.

    Args:
        plan: of a study.
        models: names of networks of the plan, which keep their recipes, or of any other networks; none: those of the
            plan.
        regimes: names of initializations of the plan, or of the short ones of `study.yaml`; none: those of the plan,
            unless there are `more_regimes`.
        more_regimes: further initializations, as in `study.yaml`.

    Raises:
        BadRecipe: a name is not valid.
    """
    data = plan.model_dump(mode="json")
    of_models = {each["name"]: each for each in data["models"]}
    of_regimes = {each["name"]: each for each in data["regimes"]}
    chosen_models = [of_models.get(name, name) for name in models] or data["models"]
    chosen_regimes = [*(of_regimes.get(name, name) for name in regimes), *more_regimes] or data["regimes"]
    names = {name if isinstance(name, str) else name["name"] for name in chosen_models}
    # A dataset may be for some networks only.
    datasets = [
        {**each, "models": [name for name in each["models"] if name in names]}
        for each in data["datasets"]
        if not each["models"] or names.intersection(each["models"])
    ]
    changes = {"datasets": datasets, "models": chosen_models, "regimes": chosen_regimes, "baseline": None}
    selected = plan_of({**data, **changes})
    baselines = [*selected.variant_names, *(regime.name for regime in selected.regimes)]
    return selected.model_copy(update={"baseline": plan.baseline}) if plan.baseline in baselines else selected
