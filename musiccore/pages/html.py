"""What every page of ours is made with: escaped text, digests for its policy, data inside it."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Sequence
from functools import cache
from importlib import resources

# Control characters but newline and tab, and the signs that turn the reading direction around.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069"
    "\ud800-\udfff\ufeff]"
)


def text(value: object) -> str:
    """Return text that is safe anywhere in a document, attributes included."""
    return html.escape(_UNPRINTABLE.sub("\ufffd", str(value).replace("\r\n", "\n")), quote=True)


@cache
def asset(name: str) -> str:
    """Return a style or script of this package."""
    return (resources.files("musiccore.pages") / "assets" / name).read_text(encoding="utf-8")


def policy_source(content: str) -> str:
    """Return the name of a style or script for a content security policy, without quotes."""
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


def data_uri(media_type: str, data: bytes) -> str:
    """Return an address that holds the data itself."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def page_head(
    title: str, style: str, scripts: Sequence[str], *, neighbours: bool = False
) -> list[str]:
    """Return the beginning of a page that needs no other file, up to the end of its head.

    Args:
        title: of the page, not escaped yet.
        style: the only style that applies.
        scripts: the only scripts that run; they stand at the end of the page.
        neighbours: whether the page may look for sounds that lie beside it.
    """
    allowed = " ".join(f"'{policy_source(script)}'" for script in scripts)
    beside = " 'self'" if neighbours else ""
    policy = (
        f"default-src 'none'; img-src data:; media-src data:{beside}; base-uri 'none'; "
        f"form-action 'none'; style-src '{policy_source(style)}'; script-src {allowed}"
    )
    return [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        '<meta name="generator" content="jukeflow">',
        f"<title>{text(title)}</title>",
        '<link rel="icon" href="data:,">',
        f"<style>{style}</style>",
        "</head>",
    ]


def size_text(n_bytes: int) -> str:
    """Return a size in bytes as a person reads it."""
    if n_bytes >= 1_000_000:
        return f"{n_bytes / 1e6:.1f} MB"
    return f"{max(1, round(n_bytes / 1e3))} kB" if n_bytes else "0 kB"
