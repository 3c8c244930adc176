"""Help is quick: nothing slow is imported before a command runs."""

from __future__ import annotations

import json
import subprocess
import sys

import click
import pytest

from scgan.cli import main as cli

SLOW = {
    *("torch", "ray", "mlflow", "optuna", "boto3"),
    *("pandas", "pyarrow", "sklearn", "scipy", "matplotlib", "yaml"),
}
HELP = """
import json, sys
from scgan.cli.main import cli
try:
    cli.main({words}, prog_name="scgan")
except SystemExit as error:
    assert not error.code
print(json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}})))
"""


def all_commands(command, words=()):
    """The words of a command and of all below it."""
    yield list(words)
    for name, below in getattr(command, "commands", {}).items():
        yield from all_commands(below, (*words, name))


@pytest.mark.parametrize("words", list(all_commands(cli.cli)), ids=" ".join)
def test_help_imports_nothing_slow(words):
    code = HELP.format(words=[*words, "--help"])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    *text, modules = done.stdout.splitlines()
    assert text[0].startswith("Usage: scgan") and len(text) > 3
    assert not SLOW & set(json.loads(modules))


def test_every_command_says_what_it_does():
    for command in cli.cli.commands.values():
        assert isinstance(command, click.Command) and command.get_short_help_str()
