"""The search service: an Optuna study as the one record of trials, Tune to run them, MLflow to look at them."""
