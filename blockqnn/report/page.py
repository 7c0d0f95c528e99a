"""The page: one HTML text with style, scripts and data in it, and no address outside it."""

from __future__ import annotations

import base64
import functools
import hashlib
import html
import importlib.resources
import json
import re
from typing import Any

SCRIPTS = (
    "dom.js",
    "format.js",
    "measure.js",
    "axes.js",
    "trials.js",
    "painting.js",
    "drawing.js",
    "links.js",
    "panel.js",
    "charts.js",
    "contents.js",
    "state.js",
    "findings.js",
    "finals.js",
    "supernet.js",
    "curves.js",
    "scatter.js",
    "epochs.js",
    "compare.js",
    "gallery.js",
    "motifs.js",
    "distributions.js",
    "learned.js",
    "mixture.js",
    "prediction.js",
    "spending.js",
    "csv.js",
    "table.js",
    "flags.js",
    "live.js",
    "comparison_curves.js",
    "comparison.js",
    "main.js",
    "theme.js",
)
"""In the order in which they run: each uses what those before it define."""

_UNSAFE = {character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}
_PLACE = re.compile(r"\{\{(\w+)\}\}")


def page(title: str, payload: dict[str, Any], live: bool = False) -> str:
    """Writes the page.

    Args:
        title: of the window.
        payload: what the scripts show.
        live: whether the page may ask its own server for what is new.

    Returns:
        The HTML text. A policy in it forbids every script but its own and
        every connection, or with `live` every connection but to its server.
    """
    parts = {
        "policy": html.escape(application_policy(live)),
        "title": html.escape(title),
        "style": _asset("page.css"),
        "data": embedded_json(payload),
        "plotly": _plotly(),
        "application": _application(),
    }
    # One pass: what is put in may itself look like a place.
    return _PLACE.sub(lambda match: parts[match[1]], _asset("page.html"))


def embedded_json(value: Any) -> str:
    """JSON that can stand in a script element, whatever text is in it.

    Args:
        value: lists, dictionaries with text as keys, text, numbers and None.

    Returns:
        JSON in which no character can end the element, begin another or be
        taken for the end of a line of JavaScript.
    """
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return re.sub("[<>&\u2028\u2029]", lambda match: _UNSAFE[match[0]], text)


@functools.cache
def application_policy(live: bool) -> str:
    """The content security policy of a page.

    Args:
        live: whether it may connect to its own server.

    Returns:
        The policy's text. Styles may stand in the page, since Plotly sets them;
        images may be made by the page itself, since Plotly saves charts so.
    """
    hashes = [
        "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"
        for text in (_plotly(), _application())
    ]
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {' '.join(hashes)}",
            "style-src 'unsafe-inline'",
            "img-src data: blob:",
            "connect-src 'self'" if live else "connect-src 'none'",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


@functools.cache
def _asset(name: str) -> str:
    return importlib.resources.files("blockqnn.report").joinpath("assets", name).read_text("utf-8")


@functools.cache
def _application() -> str:
    return '"use strict";\nconst blockqnn = {};\n' + "\n".join(map(_asset, SCRIPTS))


@functools.cache
def _plotly() -> str:
    import plotly.offline

    # The parser of HTML must not see the end of the script inside a string of it.
    text: str = plotly.offline.get_plotlyjs()
    return re.sub(r"</(script)", r"<\\/\1", text, flags=re.IGNORECASE).replace("<!--", "<\\!--")
