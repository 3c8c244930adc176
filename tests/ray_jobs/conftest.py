"""What the tests of searches share."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def mlflow_runs():
    """The client, a search's entry and its trials' by number, of the database in a folder."""

    def runs(folder):
        from mlflow import MlflowClient

        client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
        (experiment,) = client.search_experiments(filter_string="name = 'scgan'")
        runs = client.search_runs([experiment.experiment_id], max_results=500)
        (parent,) = [run for run in runs if "scgan.search" in run.data.tags]
        children = [run for run in runs if "scgan.trial" in run.data.tags]
        numbers = [int(run.data.tags["scgan.trial"]) for run in children]
        assert len(set(numbers)) == len(numbers)
        return client, parent, dict(zip(numbers, children, strict=True))

    return runs
