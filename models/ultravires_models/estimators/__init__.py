"""The anomaly models, and what makes hits of their scores; `for_scikit_learn` has them as its estimators."""
