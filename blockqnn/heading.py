"""What a verb says before it begins: what it read, with what it computes, what it will do."""

from __future__ import annotations

from collections.abc import Mapping


def heading(facts: Mapping[str, str | None]) -> str:
    """Facts below one another, for the first lines of a verb.

    Args:
        facts: by name; None or nothing leaves one out. Lines of a fact after
            its first stand below that.

    Returns:
        Lines such as `Data:    digits, 1,500 images of 8x8x1`.
    """
    shown = {name: text for name, text in facts.items() if text}
    width = max((len(name) for name in shown), default=0) + 1
    lines = []
    for name, text in shown.items():
        first, *rest = text.splitlines()
        lines.append(f"{name + ':':{width}}  {first}")
        lines += [f"{'':{width}}  {line}" for line in rest]
    return "\n".join(lines)
