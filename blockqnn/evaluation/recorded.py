"""What a search writes down of what its accuracies come from: images and lowerings, or a table."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from blockqnn.data import recorded as data_recorded
from blockqnn.data.datasets import check_parts
from blockqnn.errors import UserError
from blockqnn.evaluation.contract import DRY, OF_IMAGES, TABLE
from blockqnn.evaluation.lowerings import LOWERINGS, lowerings_record
from blockqnn.evaluation.table import AccuracyTable
from blockqnn.networks.spaces.registry import write
from blockqnn.settings import DataSettings, SearchSettings, TableSettings

DATA, TABLE_FACT = "data", "table"
"""Names of the facts in a run's store; `blockqnn.runs.run_directory` knows them."""


def data_as_recorded(facts: Mapping[str, Any], data: DataSettings) -> DataSettings:
    """The settings under which a run reads the data that it was begun with.

    Args:
        facts: of the run's store; empty where it begins.
        data: the settings now.

    Returns:
        The settings, perhaps without a validation split of the data's own.
    """
    if "flags" not in facts:
        return data
    return data_recorded.as_recorded(facts.get(DATA), data)


def checked_facts(facts: Mapping[str, Any], settings: SearchSettings, where: str) -> dict[str, Any]:
    """Refuses images or a table that are not those of a run, and says what to write down.

    Args:
        facts: of the run's store; empty where it begins.
        settings: of the search.
        where: what was begun, for the message, such as `the run in runs/own`.

    Returns:
        Facts for the store.

    Raises:
        UserError: if something has changed since, or cannot be read.
    """
    if settings.evaluator not in (*OF_IMAGES, TABLE, DRY):
        return {}
    images_needed = settings.evaluator in OF_IMAGES
    if images_needed:
        check_parts(settings.data)
    data_recorded.check_record(facts.get(DATA), settings.data, where, images_needed)
    found = {DATA: data_recorded.record(settings.data, images_needed)}
    if images_needed:
        found[LOWERINGS] = facts.get(LOWERINGS) or lowerings_record()
    if settings.evaluator == TABLE:
        found[TABLE_FACT] = now = table_record(settings.table)
        before = facts.get(TABLE_FACT)
        if before and before["digest"] != now["digest"]:
            raise UserError(
                f"The table has changed since {where} was begun: {before['rows']:,} accuracies "
                f"then, {now['rows']:,} now"
                + (", of which some are others" if before["rows"] == now["rows"] else "")
                + ". Put the old table back, or say where it is (--table), to go on, or begin "
                "anew in another directory."
            )
    return found


def table_record(settings: TableSettings) -> dict[str, Any]:
    """What is needed to know a table again, whatever its file is called.

    Args:
        settings: which table, and which column of it.

    Returns:
        Facts that JSON can hold: `digest` and the number of `rows`.

    Raises:
        UserError: if it cannot be read.
    """
    table = AccuracyTable(settings.path, (settings.column,), settings.space)
    lines = []
    for code in table.codes:
        found = table.find(code)
        lines.append(f"{write(code)} {found[1][0] if found else ''}")
    digest = hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()
    return {"digest": digest, "rows": len(lines)}
