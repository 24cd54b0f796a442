"""Where in an image the evidence for a class lies, as far as that can be believed."""

from coverslip.inference.explain.explaining import ChecksOfRun, Explanation, Explanations, explain, explanation_of

__all__ = ["ChecksOfRun", "Explanation", "Explanations", "explain", "explanation_of"]
