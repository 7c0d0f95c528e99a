"""Designs convolutional blocks: codes, search spaces, agents, runs and what was learned in them.

    import blockqnn

    code = blockqnn.parse("residual")       # a name or a code
    blockqnn.draw(code)                     # a picture in a notebook
    blockqnn.figures(code)["parameters"]
    model = blockqnn.network(code)          # an nnx.Module
    layer = blockqnn.Block(code, channels=64, filters=64, rngs=nnx.Rngs(0))  # likewise
    layer = blockqnn.load_block("runs/trained", stage=2)  # with its trained weights
    run = blockqnn.open_run("runs/digits")
    run = blockqnn.search(my_function, "runs/mine", budget=200)

The packages `blockqnn.networks`, `blockqnn.agents` and `blockqnn.flags` are the folders of these
names at the top of the repository.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from blockqnn.interface import (
        block,
        draw,
        figures,
        network,
        open_run,
        parse,
        search,
    )
    from blockqnn.networks.block import Block
    from blockqnn.trained_networks import load_block, load_network

__all__ = [
    "Block",
    "block",
    "draw",
    "figures",
    "load_block",
    "load_network",
    "network",
    "open_run",
    "parse",
    "search",
]


def __getattr__(name: str) -> Any:
    # `import blockqnn.agents` runs this module too, and must load nothing else.
    if name == "Block":
        from blockqnn.networks.block import Block

        return Block
    if name in ("load_block", "load_network"):
        from blockqnn import trained_networks

        return getattr(trained_networks, name)
    if name in __all__:
        from blockqnn import interface

        return getattr(interface, name)
    raise AttributeError(f"module 'blockqnn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
