"""One metric on two different sets of images: the difference of two independent numbers with intervals."""

from coverslip.evaluation.results import Metric


def independent_difference(
    first: Metric, second: Metric, names: tuple[str, str] = ("first set", "second set")
) -> Metric:
    """Return the second number minus the first, with an interval from both intervals.

    Each end of the interval combines the distances of both numbers to the ends of their own intervals (Zou and Donner
    2008, Construction of confidence limits about effect measures, method MOVER). Two intervals that overlap slightly
    can still have a difference that excludes 0.

    Args:
        first, second: the same metric of two sets of images without a common group.
        names: of the two sets, for the reason of a missing interval.

    Returns:
        `low` and `high` are None, with a reason, if one of the numbers has no interval.
    """
    if first.value is None or second.value is None:
        return Metric(value=None, reason=first.reason or second.reason)
    value = second.value - first.value
    if first.low is None or first.high is None or second.low is None or second.high is None:
        if first.low is None and second.low is None and first.reason == second.reason:
            return Metric(value=value, reason=first.reason)
        name, without = (names[1], second) if second.low is None else (names[0], first)
        return Metric(value=value, reason=f"{name}: {without.reason or 'no interval'}")
    down = ((second.value - second.low) ** 2 + (first.high - first.value) ** 2) ** 0.5
    up = ((second.high - second.value) ** 2 + (first.value - first.low) ** 2) ** 0.5
    return Metric(value=value, low=value - down, high=value + up, method="difference of independent numbers (MOVER)")
