"""The search: an Optuna study is the one record of trials, Tune runs them, MLflow shows them."""
