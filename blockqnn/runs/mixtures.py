"""What a store keeps of a mixture that is trained."""

from __future__ import annotations

EPOCHS = "mixture_epochs"
"""The fact with what each epoch has found."""
DECISIONS = "mixture_decisions"
"""The fact with the choices of a selection by perturbation."""
CHOSEN = "mixture_chosen"
"""The fact with the trial that is the result, and why the training was stopped before its end."""
