"""Odd input for whatever reads what others wrote: a value, or a clean refusal, and nothing else.

Codes: legal blocks with characters changed, cut out, doubled and joined, and
text made of a code's characters. What is read must be written and read again
as the same. Flags: command lines of `search` with odd names and values.
Stores: files with bytes changed, and cells with odd values.
"""

from __future__ import annotations

import contextlib
import pathlib
import random
import shutil
import sqlite3
import tempfile
import time

from benchmarks._arguments import make_parser
from blockqnn.__main__ import main as blockqnn_main
from blockqnn.agents.random_search import RandomSearch, RandomSearchConfig
from blockqnn.errors import UserError
from blockqnn.flags import search as search_flags
from blockqnn.networks.layout import LayoutError
from blockqnn.networks.spaces.contract import CodeError
from blockqnn.networks.spaces.registry import parse, published, space_named, write
from blockqnn.runs.run_record import read_run

LETTERS = "[](),0123456789 -+.eE_\"'\n\tx{}:٣²𝟙\0"
WORDS = ("[", "]", "(", ")", ",", "),(", "[[", "]]", "-1", "1e9", "00", "true", "null", "NaN", "()")
VALUES = (
    "",
    "0",
    "-1",
    "1",
    "1e999",
    "nan",
    "9" * 30,
    "1:2",
    "0.5:1,0.1:2",
    ",",
    "🧱",
    "\0",
    "a=b",
)


def odd_code(dice: random.Random, legal: list[str]) -> str:
    """Text that is nearly a code, or made of the characters of one."""
    kind = dice.random()
    if kind < 0.15:
        return "".join(dice.choices(LETTERS, k=dice.randrange(30)))
    if kind < 0.3:
        rows = (
            "("
            + ",".join(str(dice.randint(-1, 9)) for _ in range(dice.choice((4, 5, 5, 5, 6))))
            + ")"
            for _ in range(dice.randrange(6))
        )
        return "[" + ",".join(rows) + "]"
    text = dice.choice(legal)
    if kind < 0.45:
        digits = [i for i, letter in enumerate(text) if letter.isdigit()]
        # A code may be words alone.
        place = dice.choice(digits or range(len(text)))
        return text[:place] + str(dice.randrange(10)) + text[place + 1 :]
    for _ in range(dice.randint(1, 3)):
        place = dice.randrange(len(text) + 1)
        change = dice.random()
        if change < 0.4:
            text = text[:place] + dice.choice(LETTERS) + text[place + 1 :]
        elif change < 0.6:
            text = text[:place] + text[place + dice.randint(1, 5) :]
        elif change < 0.8:
            text = text[:place] + dice.choice(WORDS) + text[place:]
        else:
            text = text[:place] + text[dice.randrange(len(text) + 1) :]
    return text


def fuzz_codes(count: int, dice: random.Random) -> tuple[int, int]:
    """Reads odd codes; returns how many were legal and how many were refused."""
    agent = RandomSearch(space_named("nsc", 8), RandomSearchConfig(), dice.randrange(2**31))
    legal = [write(code) for code in [*agent.suggest(500), *published().values()]]
    read = 0
    for _ in range(count):
        text = odd_code(dice, legal)
        try:
            code = parse(text)
        except CodeError as error:
            assert "\n" not in str(error), f"{text!r}: {error}"
            continue
        read += 1
        assert parse(write(code)) == code, text
    return read, count - read


def fuzz_flags(count: int, dice: random.Random) -> tuple[int, int]:
    """Parses odd command lines; returns how many were legal and how many were refused."""
    names = [*search_flags.define().values, "nope", "", "no", "flagfile"]
    read = 0
    for _ in range(count):
        words = []
        for _ in range(dice.randint(1, 3)):
            name, value = dice.choice(names), dice.choice(VALUES)
            if dice.random() < 0.4:
                value = "".join(dice.choices(LETTERS, k=dice.randrange(6)))
            form = dice.random()
            words.append(
                f"--{name}={value}" if form < 0.8 else f"--{name}" if form < 0.9 else value
            )
        try:
            search_flags.parse(["--preset=smoke", "--evaluator=dry", *words])
            read += 1
        except (UserError, LayoutError) as error:
            assert str(error)
    return read, count - read


def fuzz_stores(count: int, dice: random.Random) -> tuple[int, int]:
    """Reads damaged stores; returns how many could be read and how many were refused."""
    read = 0
    with tempfile.TemporaryDirectory() as directory:
        whole, odd = pathlib.Path(directory) / "whole", pathlib.Path(directory) / "odd"
        with (
            (pathlib.Path(directory) / "out").open("w", encoding="utf-8") as stream,
            contextlib.redirect_stdout(stream),
        ):
            blockqnn_main(
                ["search", "--preset=smoke", "--evaluator=dry", "--executor=inline",
                 f"--run_dir={whole}"]
            )  # fmt: skip
        odd.mkdir()
        for _ in range(count):
            shutil.copy(whole / "store.sqlite", odd / "store.sqlite")
            if dice.random() < 0.5:
                _change_bytes(odd / "store.sqlite", dice)
            else:
                _change_cell(odd / "store.sqlite", dice)
            try:
                read_run(odd)
                read += 1
            except (UserError, LayoutError) as error:
                assert str(error)
            for left in odd.iterdir():
                left.unlink()
    return read, count - read


def _change_bytes(path: pathlib.Path, dice: random.Random) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(dice.randint(1, 20)):
        content[dice.randrange(dice.choice((100, 4096, len(content))))] = dice.randrange(256)
    if dice.random() < 0.2:
        del content[dice.randrange(len(content)) :]
    path.write_bytes(content)


def _change_cell(path: pathlib.Path, dice: random.Random) -> None:
    values = [*VALUES, None, 1, -1.5, b"\0\xff", "[" * 50_000, "[1,2", '{"a": 1}', "null", "[null]"]
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        table = dice.choice(["trials", "trials", "facts"])
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        with contextlib.suppress(sqlite3.IntegrityError):
            # Written as text it would become a number again where it looks like one.
            connection.execute(
                f"UPDATE {table} SET {dice.choice(columns)} = ? WHERE rowid IN "
                f"(SELECT rowid FROM {table} ORDER BY random() LIMIT 1)"
                if table == "trials"
                else f"UPDATE {table} SET value = ? WHERE name IN "
                f"(SELECT name FROM {table} ORDER BY random() LIMIT 1)",
                [dice.choice(values)],
            )


def main() -> None:
    """Reads the arguments and throws odd input at each reader."""
    parser = make_parser("fuzz", __doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000, help="odd codes")
    parser.add_argument("--flags", type=int, default=20_000, help="odd command lines")
    parser.add_argument("--stores", type=int, default=2_000, help="odd stores")
    parser.add_argument("--seed", type=int, default=0, help="fixes every random choice")
    given = parser.parse_args()
    for name, fuzz, count in (
        ("codes", fuzz_codes, given.inputs),
        ("command lines", fuzz_flags, given.flags),
        ("stores", fuzz_stores, given.stores),
    ):
        begun = time.monotonic()
        read, refused = fuzz(count, random.Random(given.seed))
        seconds = time.monotonic() - begun
        print(f"{count} {name}: {read} read, {refused} refused, {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
