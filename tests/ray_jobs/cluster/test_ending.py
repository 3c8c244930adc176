"""SIGTERM ends a job as Ctrl-C does."""

from __future__ import annotations

import os
import signal
import time

import pytest

from ray_jobs.cluster.ending import TERMINATED, catch_sigterm, ended_by_sigterm


def terminate():
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(5)


def test_it_ends_what_is_within_with_a_shells_code(capsys):
    before, closed = signal.getsignal(signal.SIGTERM), []
    with pytest.raises(SystemExit) as end, ended_by_sigterm():
        try:
            terminate()
        finally:
            closed.append(True)
    assert end.value.code == TERMINATED == 143 and closed
    assert capsys.readouterr().err == "stopped; the same command goes on\n"
    assert signal.getsignal(signal.SIGTERM) == before


def test_what_was_waited_for_may_make_another_error_of_it():
    """As Ray does, which exits with 1, or fails."""
    with pytest.raises(SystemExit) as end, ended_by_sigterm():
        try:
            terminate()
        except SystemExit:
            raise RuntimeError("the controller is gone") from None
    assert end.value.code == TERMINATED


def test_other_ends_stay_what_they_are(capsys):
    with pytest.raises(SystemExit) as end, ended_by_sigterm():
        raise SystemExit(1)
    assert end.value.code == 1
    with pytest.raises(ValueError, match="wrong"), ended_by_sigterm():
        raise ValueError("wrong")
    assert capsys.readouterr().err == ""


def test_the_handler_is_set_again_where_ray_took_it(capsys):
    with pytest.raises(SystemExit) as end, ended_by_sigterm():
        signal.signal(signal.SIGTERM, lambda *how: None)
        catch_sigterm()
        terminate()
    assert end.value.code == TERMINATED
