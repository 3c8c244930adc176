"""The commands ``scgan store``: look at a store, check it, clean it."""

from __future__ import annotations

import itertools
import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import click
from rich.table import Table

from scgan.cli import commands, console

if TYPE_CHECKING:
    from scgan.store.inventory import Item

_JSON = click.option("--json", "as_json", is_flag=True, help="End with one JSON object on stdout.")


@click.group("store")
def store_commands() -> None:
    """Look at a store of results, check it, clean it."""


@store_commands.command("ls")
@commands.STORE
@_JSON
def show(*, store: str, as_json: bool) -> None:
    """List what lies in a store: kind, size, age, and the runs that use it."""
    from scgan.store.artifacts import ArtifactStore
    from scgan.store.inventory import inventory

    opened = ArtifactStore(store, write=False)
    items = inventory(opened)

    if as_json:
        click.echo(json.dumps({"store": opened.url, "items": [asdict(item) for item in items]}))
        return

    console.print_table(_table(items))
    runs = set(itertools.chain.from_iterable(item.runs for item in items))
    click.echo(
        f"{len(items)} keys, {console.size(sum(item.bytes for item in items))}, "
        f"{len(runs)} runs in {opened.url}"
    )


def _table(items: list[Item]) -> Table:
    table, now = Table(), time.time()
    for column in ("key", "kind", "size", "age", "used by"):
        table.add_column(
            column, justify="right" if column in {"size", "age"} else "left", overflow="fold"
        )

    for item in items:
        users = f"{len(item.runs)} runs" if len(item.runs) > 1 else "".join(item.runs)
        table.add_row(
            item.key, item.kind, console.size(item.bytes), console.age(now - item.modified), users
        )

    return table


@store_commands.command()
@commands.STORE
@_JSON
def verify(*, store: str, as_json: bool) -> None:
    """Read every artifact, check its sha256, and name those that are damaged; exit code 1 if any.

    A damaged artifact counts as missing: the run that made it, started again, trains it anew.
    """
    from scgan.store.artifacts import ArtifactStore
    from scgan.store.inventory import damages, inventory

    opened = ArtifactStore(store, write=False)
    bad = dict(damages(opened))
    num = len(inventory(opened))

    if as_json:
        click.echo(json.dumps({"store": opened.url, "checked": num, "damaged": bad}))
    else:
        for key, damage in bad.items():
            click.echo(f"{key}: {damage}")

    if bad:
        raise RuntimeError(
            f"damaged in {opened.url}, of {num} keys and their runs: {len(bad)}; start those runs "
            "again"
        )

    if not as_json:
        click.echo(f"{num} keys in {opened.url} are whole")


@store_commands.command()
@click.option(
    "--older-than",
    "hours",
    default=24.0,
    show_default=True,
    type=click.FloatRange(0),
    help="Hours.",
)
@click.option("--yes", is_flag=True, help="Remove it; without, it is only listed.")
@commands.STORE
@_JSON
def gc(*, hours: float, yes: bool, store: str, as_json: bool) -> None:
    """Remove what nobody needs: artifacts of no run, and parts and uploads that never ended.

    What was written to within --older-than hours, and all that it was made from, is kept, as it may
    be a running job's: choose more than the longest time in which a job of yours writes nothing.
    Artifacts of a search's trials belong to no run.
    """
    from scgan.store.artifacts import ArtifactStore
    from scgan.store.inventory import waste

    opened = ArtifactStore(store, write=yes)
    found = waste(opened, hours=hours)

    if yes:
        for thing in found:
            thing.remove()

    total = sum(thing.bytes for thing in found)
    if as_json:
        names = [thing.name for thing in found]
        click.echo(
            json.dumps(
                {"store": opened.url, "removed" if yes else "would_remove": names, "bytes": total}
            )
        )

        return

    for thing in found:
        click.echo(f"{thing.name}  {console.size(thing.bytes)}")

    words = "removed" if yes else "can go; --yes removes them"
    click.echo(f"{len(found)} things, {console.size(total)}, {words}")
