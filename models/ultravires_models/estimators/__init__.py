"""scikit-learn estimators of the anomaly models, and what makes hits of their scores; imported where a model runs."""
