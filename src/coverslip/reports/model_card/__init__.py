"""The model card of a run: what a reader of a paper must know of the classifier, and what only its user knows."""

from coverslip.reports.model_card.writing import model_card_text

__all__ = ["model_card_text"]
