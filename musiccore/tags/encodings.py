"""Texts of old tags, which do not say how their bytes are to be read.

ID3v1, the texts of ID3v2 that claim to be Latin-1, and those of WAV and AIFF hold whatever the
computer wrote that made them. Bytes that are UTF-8 are read as that, others as Latin-1 unless an
encoding is named; where Latin-1 makes no words of them, that is said, with encodings that do.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Mapping
from typing import Final

from musiccore.errors import ConfigError

AUTO: Final = "auto"
COMMON: Final = ("shift_jis", "euc_jp", "gbk", "big5", "euc_kr", "cp1251", "koi8_r", "cp1250")
_LATIN: Final = "latin-1"
_WIDER: Final = {  # what was written under these names is of the larger set
    "shift_jis": "cp932", "gb2312": "gb18030", "gbk": "gb18030", "euc_kr": "cp949",
}  # fmt: skip
_SHORTER: Final = {"cp932": "shift_jis", "gb18030": "gbk", "cp949": "euc_kr"}
_CANDIDATES: Final = (
    "cp932", "euc_jp", "gb18030", "cp949", "big5", "cp1251", "koi8_r", "cp866", "cp1253", "cp1254",
    "cp1250", "cp1255", "cp1256", "cp874", "cp1257",
)  # fmt: skip
_MOST_BYTES: Final = 4096
_MOST_SHOWN: Final = 4
_LONGEST_SAMPLE: Final = 40

_WESTERN: Final = "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜßàáâãäåæçèéêëìíîïñòóôõöøùúûüÿŒœŠšŽžŸ"
_ICELANDIC: Final = "ÐÝÞðýþ"  # in Turkish and Romanian texts other letters have their places
_ICELAND: Final = "ÁÉÍÓÚÆáéíóúæ"
_MARKS: Final = "“”‘’‚„…–—•™€ ¡¿«»°©®´·№½²³ªº§£"
_TURKISH: Final = "çğıi̇öşüâîû"
_CENTRAL: Final = "áčďéěíňóřšťúůýžľĺŕôäöüąćęłńśźżőűăâîşţđ"
_BALTIC: Final = "āčēģīķļņšūžąęėįųõäöü"
_HANGUL: Final = (
    "이다는의가을에사랑나너그하고지한국리아내우시대소녀자기로도를은인서어해수있라일보여정부전주오"
    "만제스세음안상조연동방구장원신성김박비마별날눈물길꿈봄여름겨울밤노래"
)
_HANZI: Final = (  # simplified and traditional
    "的一是不了在人有我他这這中大来來上个個国國到说說们們为為子和你地出道也时時年得就那要下以生"
    "会會自着去之过過家学學对對可里後后小么麼心多天而能好都然没沒日起还還发發成事只想看无無开開"
    "手如前面爱愛情歌曲月亮代表周张張王李陈陳林刘劉花风風雨夜梦夢海星光城明山水雪春秋红紅白青"
)
_WORD: Final = re.compile(r"[^\W\d_]+")
_CYRILLIC: Final = re.compile(r"[А-яЁёЄєІіЇїЎў]+")
_GREEK: Final = re.compile(r"[ΆΈ-ώ]+")


def checked_encoding(name: str) -> str:
    """Return the name of an encoding of texts as Python knows it; `auto` is one.

    Raises:
        ConfigError: if there is none of that name.
    """
    if name.strip().casefold() == AUTO:
        return AUTO
    try:
        info = codecs.lookup(name)
        b"".decode(name)
    except (LookupError, ValueError, TypeError):
        raise ConfigError(
            f"tag_encoding: {name!r} is no encoding of texts",
            hint=f"use one of {', '.join(COMMON)}, another that Python knows, or auto",
        ) from None
    return _WIDER.get(info.name.replace("-", "_"), info.name)


class OldTexts:
    """Reads texts of unsaid encoding, and remembers which of them are in doubt.

    Args:
        encoding: how to read them, as `checked_encoding` returns it; None for UTF-8 or Latin-1.
    """

    def __init__(self, encoding: str | None = None) -> None:
        self.encoding = encoding
        self.unsaid: list[bytes] = []
        self._odd: list[str] = []

    def __call__(self, raw: bytes) -> str:
        """Return the text in the bytes."""
        if raw.isascii():
            return raw.decode("ascii") if self.encoding is None else self._named(raw)
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            return self._other(raw)
        if self.encoding in (None, "utf-8"):
            return text
        named = self._named(raw)
        if named != text:
            self._odd.append(f"{_short(text)} is UTF-8, and was read as {_short(named)} as asked")
        return named

    def _other(self, raw: bytes) -> str:
        if self.encoding is not None:
            return self._named(raw)
        if sum(map(len, self.unsaid)) < _MOST_BYTES and raw not in self.unsaid:
            self.unsaid.append(raw)
        return _latin(raw)

    def _named(self, raw: bytes) -> str:
        assert self.encoding is not None
        try:
            return raw.decode(self.encoding)
        except UnicodeDecodeError:
            self._odd.append(f"{_short(_latin(raw))} is not {self.encoding}")
            return raw.decode(self.encoding, errors="replace")

    def doubts(self) -> tuple[str, ...]:
        """Return what a person should look at, in words."""
        odd = tuple(f"tag text {words}" for words in dict.fromkeys(self._odd))
        if self.encoding is not None or not self.unsaid or _is_western(self.unsaid):
            return odd
        sample = max(self.unsaid, key=_foreign)
        readings = [
            f"--tag-encoding {_SHORTER.get(name, name)} reads {_short(sample.decode(name))}"
            for name in candidates(self.unsaid)[:_MOST_SHOWN]
        ]
        said = f"old tags say no encoding; as Latin-1 one reads {_short(_latin(sample))}"
        return (*odd, "; ".join([said, *readings]))

    def guess(self) -> str | None:
        """Return the likeliest encoding of what was read; None for Latin-1."""
        if not self.unsaid or _is_western(self.unsaid):
            return None
        return next(iter(candidates(self.unsaid)), None)


def candidates(texts: list[bytes]) -> list[str]:
    """Return encodings that may be those of the texts, the likeliest first."""
    from charset_normalizer import from_bytes

    whole = b"\n".join(texts)
    able = [name for name in _CANDIDATES if _decodes(texts, name)]
    heard = [match.encoding for match in from_bytes(whole, cp_isolation=able)] if able else []
    order = {name: place for place, name in enumerate(heard)}
    scored = [(_likeness(name, texts), -order.get(name, len(able)), name) for name in able]
    return [name for score, _, name in sorted(scored, key=lambda row: row[:2])[::-1] if score > 0]


def _decodes(texts: list[bytes], name: str) -> bool:
    try:
        return all(raw.decode(name) for raw in texts)
    except UnicodeDecodeError:
        return False


def _likeness(name: str, texts: list[bytes]) -> float:
    """Return how much texts of an encoding look like its language, 0 to 1."""
    text = "\n".join(raw.decode(name) for raw in texts)
    strange = [letter for letter in text if ord(letter) > 0x7F]
    if not strange:
        return 0.0
    return _JUDGES.get(name, _other_script)(text, strange)


def _cased(text: str, strange: list[str], script: re.Pattern[str]) -> float:
    """Whether words are of one script and of one case, but for their first letter."""
    words = [word for word in _WORD.findall(text) if not word.isascii()]
    good = [word for word in words if script.fullmatch(word) and _one_case(word)]
    share = sum(map(len, good)) / len(strange)
    lower = any(len(word) > 1 and word[-1].islower() for word in good)
    return (0.9 if lower else 0.5) * share**4


def _one_case(word: str) -> bool:
    return word[1:].islower() or word.isupper() or len(word) == 1


def _share(strange: list[str], low: str, high: str) -> float:
    return sum(low <= letter <= high for letter in strange) / len(strange)


def _japanese(text: str, strange: list[str]) -> float:
    kana, kanji = _share(strange, "ぁ", "ヿ"), _share(strange, "一", "鿿")
    halfwidth = _share(strange, "｡", "ﾟ")
    if halfwidth:
        return 0.6 if halfwidth + kana + kanji == 1.0 and halfwidth > 0.5 else 0.1
    return min(0.98, 0.68 * (kanji + kana) ** 4 + 0.5 * kana)


def _chinese(text: str, strange: list[str], charset: str, last: int) -> float:
    """Share of the characters that are among the common ones, which come first in the set."""
    raws = [letter.encode(charset, "ignore") for letter in strange if "一" <= letter <= "鿿"]
    common = sum(len(raw) == 2 and raw[0] <= last for raw in raws) / len(strange)
    return 0.6 * common**4 + 0.3 * sum(letter in _HANZI for letter in strange) / len(strange)


def _korean(text: str, strange: list[str]) -> float:
    raws = [letter.encode("euc_kr", "ignore") for letter in strange if "가" <= letter <= "힣"]
    share = sum(len(raw) == 2 for raw in raws) / len(strange)
    return 0.6 * share**4 + 0.35 * sum(letter in _HANGUL for letter in strange) / len(strange)


def _latin_like(text: str, strange: list[str], letters: str) -> float:
    words = [word for word in _WORD.findall(text) if not word.isascii()]
    mixed = sum(_one_case(word) and len(word) > 1 for word in words) / max(1, len(words))
    own = sum(letter.lower() in letters for letter in strange) / len(strange)
    return 0.6 * mixed * own**4


def _other_script(text: str, strange: list[str]) -> float:
    words = [word for word in _WORD.findall(text) if not word.isascii()]
    pure = sum(not any(letter.isascii() for letter in word) for word in words)
    scripts = (("א", "ת"), ("ء", "ي"), ("ก", "๛"))
    share = max(_share(strange, low, high) for low, high in scripts)
    return 0.7 * share**4 * pure / max(1, len(words))


_JUDGES: Final[Mapping[str, Callable[[str, list[str]], float]]] = {
    "cp932": _japanese,
    "euc_jp": _japanese,
    "gb18030": lambda text, strange: _chinese(text, strange, "gb2312", 0xD7),
    "big5": lambda text, strange: _chinese(text, strange, "big5", 0xC6),
    "cp949": _korean,
    "cp1251": lambda text, strange: _cased(text, strange, _CYRILLIC),
    "koi8_r": lambda text, strange: _cased(text, strange, _CYRILLIC) - 0.05,
    "cp866": lambda text, strange: _cased(text, strange, _CYRILLIC) - 0.1,
    "cp1253": lambda text, strange: _cased(text, strange, _GREEK) - 0.02,
    "cp1254": lambda text, strange: _latin_like(text, strange, _TURKISH),
    "cp1250": lambda text, strange: _latin_like(text, strange, _CENTRAL) - 0.01,
    "cp1257": lambda text, strange: _latin_like(text, strange, _BALTIC) - 0.02,
}


def _latin(raw: bytes) -> str:
    """Return Latin-1, with the marks and letters that Windows adds to it where they are used."""
    try:
        return raw.decode("cp1252")
    except UnicodeDecodeError:
        return raw.decode(_LATIN)


def _is_western(texts: list[bytes]) -> bool:
    """Whether Latin-1 makes words of the West of Europe of the bytes."""
    if any(not re.search(rb"[0-9A-Za-z]", raw) and not _WORD.search(_latin(raw)) for raw in texts):
        return False  # nothing but marks
    text = "\n".join(map(_latin, texts))
    odd = {letter for letter in text if ord(letter) > 0x7F}
    northern = not odd & set(_ICELANDIC) or bool(odd & set(_ICELAND))
    if not northern or odd - set(_WESTERN + _ICELANDIC + _MARKS):
        return False
    if re.search(r"[^\W\d_][¡¿°´·½²³ªº¹§£¯][^\W\d_]|ì[^\W\d_]", text):
        return False  # the places of Polish, Czech and Romanian letters
    return all(_is_western_word(word) for word in _WORD.findall(text) if not word.isascii())


def _is_western_word(word: str) -> bool:
    strange = sum(not letter.isascii() for letter in word)
    return len(word) == 1 or (strange <= 2 * (len(word) - strange) and _one_case_or_mixed(word))


def _one_case_or_mixed(word: str) -> bool:
    """Whether no accented capital stands behind a small letter."""
    return not re.search(r"[a-zß-ÿ][À-ÖØ-Þ]", word)


def _foreign(raw: bytes) -> int:
    return sum(byte > 0x7F for byte in raw)


def _short(text: str) -> str:
    shown = "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
    return repr(shown[:_LONGEST_SAMPLE] + ("…" if len(shown) > _LONGEST_SAMPLE else ""))
