"""The recipe's choices on decisions: positive class, decision rule, thresholds and uncertain predictions."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from coverslip.errors import BadRecipe
from coverslip.evaluation import DecideBy, DecisionRule, positive_class
from coverslip.keys import Choice, Key
from coverslip.messages import text
from coverslip.runs.recipe.choices import Choices
from coverslip.tables import no_such

_FOR_TWO_CLASSES = frozenset({"sensitivity", "specificity", "threshold"})


class DecisionChoices(Choices):
    """How images are classified by the probabilities of the network."""

    positive_class: Annotated[
        str | None,
        Key(
            "Positive class",
            "decision",
            "For two classes. Sensitivity is the share of its images that are predicted as this class.",
            "{} was the positive class",
            empty="by names, else the second",
        ),
    ] = Field(
        default=None,
        description="Of two classes, the one that sensitivity, specificity, PPV and NPV refer to. Left empty (null), "
        "it is the class beside one named negative, normal, healthy, control or similar, else the second.",
    )
    decide_by: Annotated[
        DecideBy,
        Key(
            "Decision rule",
            "decision",
            "Thresholds are set on validation images. With them, rare classes are predicted more often and frequent "
            "classes less often.",
            choices=(
                Choice("highest", "most probable class", "The most probable class was predicted."),
                Choice("roc", "class furthest above its own threshold (ROC)"),
                Choice("sensitivity", "two classes: target sensitivity of the positive class"),
                Choice("specificity", "two classes: target specificity of the positive class"),
                Choice("threshold", "two classes: a given threshold of the positive class"),
            ),
        ),
    ] = Field(
        default="highest",
        description="The decision rule: the most probable class, or the class furthest above its own threshold. "
        "Thresholds come from ROC curves on validation images: the best balance of each class (roc), which predicts "
        "rare classes more often and frequent classes less often; or, with two classes, the `target` sensitivity or "
        "specificity of the positive class. With two classes, `threshold` can also be given.",
    )
    target: Annotated[
        float,
        Key(
            "Target sensitivity or specificity",
            "decision",
            "Used only if the decision rule is a target sensitivity or specificity.",
        ),
    ] = Field(
        default=0.95,
        gt=0,
        le=1,
        description="The target if `decide_by` is `sensitivity` or `specificity`.",
    )
    threshold: Annotated[
        float,
        Key(
            "Threshold of the positive class",
            "decision",
            "Used only if the decision rule is a given threshold.",
        ),
    ] = Field(
        default=0.5,
        gt=0,
        lt=1,
        description="If `decide_by` is `threshold`: images with at least this probability are predicted as the "
        "positive class.",
    )
    error_rate: Annotated[
        float | None,
        Key(
            "Target error rate",
            "decision",
            "At most this share of the decided validation images is misclassified. Less certain predictions are marked "
            "uncertain. If automatic, the target is half of the error rate that deciding all images would give, and at "
            "most 20% of the images are uncertain.",
            "predictions were marked uncertain where more than a share of {} would have been wrong",
        ),
    ] = Field(
        default=None,
        gt=0,
        lt=1,
        description="Target error rate of the decided validation images. As few images as necessary, and at most four "
        "in five, are `uncertain`. Left empty (null), the target is half of all errors, with at most one image in five "
        "uncertain.",
    )

    def decision_rule(self, classes: Sequence[str]) -> DecisionRule:
        """The rule for these classes, as pure numbers."""
        positive = positive_class(classes, self.positive_class)
        return DecisionRule(
            by=self.decide_by,
            positive=None if positive is None else list(classes).index(positive),
            target=self.target,
            threshold=self.threshold,
            error_rate=self.error_rate,
        )

    def check_decision(self, classes: Sequence[str]) -> None:
        """Raises BadRecipe where images of these classes cannot be decided so."""
        n = len(classes)
        if self.decide_by in _FOR_TWO_CLASSES and n != 2:
            fault = text("needs-two-classes.fault", decide_by=self.decide_by, n_classes=n)
            faults = [("decide_by", fault)]
            raise BadRecipe("needs-two-classes", faults=faults, decide_by=self.decide_by, n_classes=n)
        if self.positive_class is None:
            return
        if n != 2:
            fault = text("positive-class-needs-two.fault", n_classes=n)
            raise BadRecipe("positive-class-needs-two", faults=[("positive_class", fault)], n_classes=n)
        if self.positive_class not in classes:
            fault = str(no_such("class", self.positive_class, classes))
            raise BadRecipe("unknown-positive-class", faults=[("positive_class", fault)], reason=fault)
