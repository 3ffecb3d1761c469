"""Written text as words to say: numbers, symbols and abbreviations spelt out, so that what is heard is what is written."""

from __future__ import annotations

import re
import unicodedata

_ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES = ((10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred"))
_PLAIN = str.maketrans({"’": "'", "‘": "'", "–": ", ", "—": ", ", ":": ",", ";": ","})  # noqa: RUF001
_SYMBOLS = {
    "km/h": "kilometres an hour",
    "km": "kilometres",
    "%": "percent",
    "&": "and",
    "+": "plus",
    "=": "equals",
    "€": "euros",
    "$": "dollars",
    "£": "pounds",
}
_SYMBOL = re.compile("|".join(rf"(?<![a-zA-Z]){s}(?![a-zA-Z])" if s[0] == "k" else re.escape(s) for s in _SYMBOLS))
_AMOUNT = re.compile(r"([€$£])\s?(\d+(?:,\d{3})*(?:\.\d+)?)")
_NUMBER = re.compile(r"(?P<minus>(?<!\S)-)?(?P<whole>\d{1,3}(?:,\d{3})+|\d+)(?:\.(?P<rest>\d+))?(?P<decade>s\b)?")
_INITIALS = re.compile(r"\b[A-Z]{2,4}\b")
_LONGEST_NUMBER = 12  # digits; longer ones are said digit by digit


def speakable(text: str) -> str:
    """The text in letters, apostrophes and the punctuation , . ? ! only, ready to be said.

    Numbers and common symbols become words, capitals such as "USB" are parted ("U S B") so that they are said as letters;
    what has no sound is left out.
    """
    text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)).translate(_PLAIN)
    text = _AMOUNT.sub(r"\2 \1", text)
    text = _NUMBER.sub(_number, _SYMBOL.sub(lambda found: f" {_SYMBOLS[found[0]]} ", text))
    text = re.sub(r"[^A-Za-z',.?!]+", " ", text)
    text = re.sub(r"(?<![A-Za-z])'+|'+(?![A-Za-z])", "", text)  # quotation marks
    text = re.sub(r"\s*([,.?!])[\s,.?!]*", r"\1 ", text)
    text = _INITIALS.sub(lambda found: " ".join(found[0]), text)
    return " ".join(text.split()).lstrip(",.?! ")


def _number(found: re.Match[str]) -> str:
    digits = found["whole"].replace(",", "")
    if _is_year(found["whole"]) and not found["rest"] and not found["minus"]:
        words = _year(int(digits))
    elif len(digits) > _LONGEST_NUMBER or (digits[0] == "0" and len(digits) > 1):
        words = _digits(digits)
    else:
        words = _cardinal(int(digits))
    if found["rest"]:
        words += f" point {_digits(found['rest'])}"
    if found["decade"]:
        words = f"{words[:-1]}ies" if words.endswith("y") else f"{words}s"
    return f" {'minus ' if found['minus'] else ''}{words} "


def _is_year(digits: str) -> bool:
    return len(digits) == 4 and 1100 <= int(digits) < 2100


def _year(year: int) -> str:
    century, rest = divmod(year, 100)
    if year in range(2000, 2010):
        return _cardinal(year)
    if rest == 0:
        return f"{_cardinal(century)} hundred"
    return f"{_cardinal(century)} {'oh ' if rest < 10 else ''}{_cardinal(rest)}"


def _digits(digits: str) -> str:
    return " ".join(_ONES[int(digit)] for digit in digits)


def _cardinal(number: int) -> str:
    for scale, name in _SCALES:
        if number >= scale:
            rest = number % scale
            return f"{_cardinal(number // scale)} {name}" + (f" {_cardinal(rest)}" if rest else "")
    if number < len(_ONES):
        return _ONES[number]
    return _TENS[number // 10] + (f" {_ONES[number % 10]}" if number % 10 else "")
