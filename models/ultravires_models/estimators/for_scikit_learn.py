"""The models as estimators of scikit-learn: with its parameters, its `clone` and its page in a notebook.

A run takes the models as they are: to import scikit-learn, for what a run does not use of it, takes longer than most
runs take.
"""

from sklearn.base import BaseEstimator

from ultravires_models.estimators.purpose_drift import PurposeDriftModel
from ultravires_models.estimators.rare_action import RareActionModel


class RareActionEstimator(RareActionModel, BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """How unexpected an action is of an identity."""


class PurposeDriftEstimator(PurposeDriftModel, BaseEstimator):  # type: ignore[misc]
    """Whether each identity's last weeks differ from its first."""
