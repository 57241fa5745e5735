"""Lyrics → tokens: vocabulary, cleaning, and the part of the lyrics that a window sings.

Paper: "Lyrics conditioning". `docs/model.md`, "The label vector".
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from importlib import import_module
from string import ascii_lowercase, ascii_uppercase, digits

import numpy as np

from musiccore.errors import ConditioningError
from musiccore.models.config import LabelRules

PADDING = -1  # source index of a token that pads short lyrics
_LISTED = 12  # characters that one message lists at most

_LETTERS = ascii_uppercase + ascii_lowercase + digits
_MARKS = ".,:;!?-+'\"()[] \t\n"
_CHARACTERS: dict[LabelRules, str] = {
    "v2": _LETTERS + _MARKS,
    "v3": _LETTERS + _MARKS.replace("+", ""),
    "nano": _LETTERS + _MARKS.replace("+", ""),
}


def _find_transliterator() -> tuple[str, Callable[[str], str]]:
    try:
        return "Unidecode", import_module("unidecode").unidecode
    except ImportError:
        return "text-unidecode", import_module("text_unidecode").unidecode


def transliterator_name() -> str:
    """Return which package transliterates here; part of what decides the numbers."""
    return _find_transliterator()[0]


def transliterate(text: str) -> str:
    """Return text in ASCII: `é` → `e`; characters without a likeness vanish.

    Paper: none; the released program uses the tables of `Unidecode`, which is taken where it is
    installed. `text-unidecode` holds an older edition of the same tables.
    """
    if text.isascii():
        return text
    whole = "".join(c for c in text if unicodedata.category(c) != "Cs")  # lone surrogates
    return _find_transliterator()[1](whole)


@cache
def vocabulary(rules: LabelRules) -> Mapping[str, int]:
    """Return the token of each character; token 0 is padding."""
    return {character: token for token, character in enumerate(_CHARACTERS[rules], start=1)}


def clean_lyrics(text: str, rules: LabelRules) -> str:
    """Return lyrics as the model reads them: ASCII, backslash as a new line, known characters only.

    Case, spaces and line breaks stay as they are.
    """
    known = vocabulary(rules)
    return "".join(c for c in transliterate(text).replace("\\", "\n") if c in known)


def lyrics_tokens(text: str, rules: LabelRules) -> list[int]:
    """Return the tokens of lyrics after cleaning, one per character."""
    known = vocabulary(rules)
    return [known[c] for c in clean_lyrics(text, rules)]


def lyrics_text(tokens: Iterable[int], rules: LabelRules) -> str:
    """Return the text of lyrics tokens; padding gives nothing."""
    characters = _CHARACTERS[rules]
    return "".join(characters[token - 1] for token in tokens if token > 0)


def unknown_characters(text: str, rules: LabelRules) -> list[str]:
    """Return the characters that cleaning would drop, each once, in order of appearance.

    Accents, invisible format characters and the carriage return of a Windows line end drop
    silently: nothing that is sung is lost with them.
    """
    known = vocabulary(rules)
    lost: dict[str, None] = {}
    for character in text.replace("\r\n", "\n").replace("\\", "\n"):
        if unicodedata.category(character) in ("Mn", "Mc", "Me", "Cf"):
            continue
        plain = transliterate(character)
        if not plain or any(c not in known for c in plain):
            lost[character] = None
    return list(lost)


def check_lyrics(text: str, rules: LabelRules) -> None:
    """Check that lyrics hold nothing that the model cannot read.

    Raises:
        ConditioningError: if they hold characters outside the vocabulary, or only white space.
    """
    if not text:
        return
    lost = unknown_characters(text, rules)
    if lost:
        shown = ", ".join(describe(c) for c in lost[:_LISTED])
        more = f" and {len(lost) - _LISTED} more" if len(lost) > _LISTED else ""
        raise ConditioningError(
            f"lyrics hold characters outside the vocabulary: {shown}{more}",
            hint="replace them, or set {allow_unknown} to drop them",
        )
    if not clean_lyrics(text, rules).strip():
        raise ConditioningError(
            "lyrics hold only white space",
            hint="leave {lyrics} empty for music without words",
        )


def describe(character: str) -> str:
    """Return a character as a message shows it."""
    if character.isprintable() and not character.isspace():
        return repr(character)
    return f"U+{ord(character):04X}"


def lyrics_window(
    all_tokens: Sequence[int],
    n_tokens: int,
    total_samples: int,
    offset_samples: int,
    window_samples: int,
    *,
    single_precision: bool = False,
) -> tuple[list[int], tuple[int, ...]]:
    """Return the lyrics tokens that belong to a window of the music, assuming even singing.

    Args:
        all_tokens: tokens of the whole lyrics, M of them.
        n_tokens: tokens wanted; fewer than that in all are padded on the left with 0.
        total_samples: length of the whole piece, in samples.
        offset_samples: where the window starts, in samples.
        window_samples: length of the window, in samples.
        single_precision: compute the middle in float32, as during sampling; else in float64.

    Returns:
        The tokens, and the index of each in `all_tokens` (-1 for padding).

    Raises:
        ConditioningError: if the window starts outside the piece and lyrics have to be cut.

    Paper: "Lyrics conditioning".
    """
    length = len(all_tokens)
    if length < n_tokens:
        padding = n_tokens - length
        return [0] * padding + list(all_tokens), (PADDING,) * padding + tuple(range(length))
    if not 0 <= offset_samples < total_samples:
        raise ConditioningError(
            f"a window starts at sample {offset_samples}, the piece has {total_samples}",
            hint="{total_seconds} must be longer than what is sampled",
        )
    real = np.float32 if single_precision else np.float64
    middle = real(offset_samples) + real(window_samples) / real(2)
    scaled = real(length) * middle / real(total_samples)
    centre = min(max(int(scaled), n_tokens // 2), length - n_tokens // 2)
    first = centre - n_tokens // 2
    return list(all_tokens[first : first + n_tokens]), tuple(range(first, first + n_tokens))
