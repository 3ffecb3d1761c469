"""Reads labelled queries from JSON Lines, checks them, and splits them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from casa.errors import DataError

Split = Literal["train", "dev", "test"]
SEED_DATA = "seed"  # names the data set that is shipped with the package
_SHARES: tuple[tuple[Split, float], ...] = (("train", 0.65), ("dev", 0.10), ("test", 0.25))
_MOST_ERRORS = 10


@dataclass(frozen=True)
class Example:
    """One labelled query.

    Attributes:
        id: unique name.
        text: the query.
        malicious: its label.
        answer: the response (benign) or refusal (malicious) that training teaches; None if the data has none.
        kind: "plain" or "lookalike", or what the data says.
        group: examples of one group stay on one side of every split (a malicious query and its look-alike).
        split: which side it is on.
        source: where it comes from.
        complete: whether the answer ends where the text ends (a cut one gets no end-of-turn).
        earlier: exchanges (question, answer) before the query.
        given: a beginning of the answer that was put into the model's mouth; the answer goes on from there.
    """

    id: str
    text: str
    malicious: bool
    answer: str | None
    kind: str
    group: str
    split: Split
    source: str
    complete: bool = True
    earlier: tuple[tuple[str, str], ...] = ()
    given: str = ""

    def messages(self) -> list[dict[str, Any]]:
        """The conversation up to and including the query."""
        turns = [turn for question, answer in self.earlier for turn in (("user", question), ("assistant", answer))]
        return [{"role": role, "content": content} for role, content in (*turns, ("user", self.text))]

    def key(self) -> str:
        """The query, or the conversation as JSON if it has more turns: names what is asked of a model."""
        return json.dumps(self.messages()) if self.earlier else self.text


def data_folder() -> Path:
    """The data that is shipped with the package."""
    return Path(str(resources.files("casa.data")))


def seed_files() -> list[Path]:
    """The seed dataset: one file a scenario."""
    return sorted((data_folder() / "queries").glob("*.jsonl"))


def read_examples(sources: Iterable[str | Path]) -> list[Example]:
    """Reads data files; `"seed"` stands for the shipped data set.

    A row is {"text", "label": "malicious" | "benign", and optionally "id", "refusal" | "response", "kind", "pair", "split",
    "source"}. Rows without a split get one from a hash of their group: 65 % train, 10 % dev, 25 % test.

    Raises:
        DataError: names file and line of every malformed row (the first ten).
    """
    files = [path for source in sources for path in (seed_files() if str(source) == SEED_DATA else [Path(source)])]
    examples: list[Example] = []
    errors: list[str] = []
    for path in files:
        for number, line in enumerate(_lines(path), start=1):
            if not line.strip():
                continue
            try:
                examples.append(_example(json.loads(line), path, number))
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                errors.append(f"{path.name}:{number}: {error}")
    errors += _repeated_ids(examples)
    if errors:
        more = f"\n... and {len(errors) - _MOST_ERRORS} more" if len(errors) > _MOST_ERRORS else ""
        raise DataError("malformed training data:\n" + "\n".join(errors[:_MOST_ERRORS]) + more)
    if not examples:
        raise DataError(f"no examples in {', '.join(map(str, files)) or 'the given files'}")
    return _one_split_a_text(examples)


def shipped_refusals() -> list[str]:
    """Refusals of the shipped data set's training split, for data that have none."""
    train = (e for e in read_examples([SEED_DATA]) if e.split == "train" and e.malicious and e.answer)
    return sorted({str(e.answer) for e in train})


def _one_split_a_text(examples: list[Example]) -> list[Example]:
    """A text that several files hold takes the split of its first occurrence, so that none leaks into another."""
    splits: dict[str, Split] = {}
    for example in examples:
        splits.setdefault(" ".join(example.text.lower().split()), example.split)
    return [replace(e, split=splits[" ".join(e.text.lower().split())]) for e in examples]


def hand_rewrites() -> list[Example]:
    """Rewrites by hand of test queries, by kind ("past_tense", "paraphrase"); the group is the query's id."""
    return read_examples([data_folder() / "rewrites.jsonl"])


def split_of(group: str, shares: Sequence[tuple[Split, float]] = _SHARES) -> Split:
    """A split that depends on the group's name alone, with shares that sum to 1."""
    position = int.from_bytes(hashlib.sha256(group.encode()).digest()[:4], "big") / 2**32
    for split, share in shares:
        if position < share:
            return split
        position -= share
    return shares[-1][0]


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").rstrip("\n").split("\n")  # not splitlines: JSON may hold U+2028
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {error}") from error


def _example(row: dict[str, Any], path: Path, number: int) -> Example:
    text, label = row["text"], row["label"]
    if not isinstance(text, str) or not text.strip():
        raise ValueError("text must be a non-empty string")
    if label not in ("malicious", "benign"):
        raise ValueError(f"label must be 'malicious' or 'benign', not {label!r}")
    answer = row.get("refusal" if label == "malicious" else "response")
    if answer is not None and not (isinstance(answer, str) and answer.strip()):
        raise ValueError("refusal or response must be a non-empty string")
    name = str(row.get("id") or f"{path.stem}-{number}")
    group = min(name, str(row.get("pair") or name))
    split = row.get("split") or split_of(group)
    if split not in ("train", "dev", "test"):
        raise ValueError(f"split must be train, dev or test, not {split!r}")
    source = str(row.get("source") or row.get("scenario") or path.stem)
    return Example(name, text, label == "malicious", answer, str(row.get("kind") or "plain"), group, split, source)


def _repeated_ids(examples: list[Example]) -> list[str]:
    seen: set[str] = set()
    return [f"id {e.id!r} occurs twice" for e in examples if e.id in seen or seen.add(e.id)]  # type: ignore[func-returns-value]


@dataclass(frozen=True)
class Template:
    """Text round a query: a jailbreak framing or a harmless one.

    Attributes:
        id: unique name.
        family: kind of framing; "neutral" is harmless.
        split: which side it is on; families never cross.
        template: text with one `{query}` slot.
    """

    id: str
    family: str
    split: Split
    template: str

    def fill(self, query: str) -> str:
        """The query inside the framing; other braces are left alone."""
        return self.template.replace("{query}", query)


def read_templates(path: Path) -> list[Template]:
    """Reads templates from JSON Lines.

    Raises:
        DataError: names file and line of a malformed row.
    """
    templates = []
    for number, line in enumerate(_lines(path), start=1):
        try:
            row = json.loads(line)
            template = Template(str(row["id"]), str(row.get("family", "")), row["split"], row["template"])
            if "{query}" not in template.template:
                raise ValueError("a template needs a {query} slot")
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(f"{path.name}:{number}: {error!r}") from error
        templates.append(template)
    return templates


def jailbreak_templates(split: Split, extra: Iterable[str | Path] = ()) -> list[Template]:
    """Jailbreak framings of one split: the shipped ones, and those of further files."""
    files = [data_folder() / "templates.jsonl", *map(Path, extra)]
    return [template for path in files for template in read_templates(path) if template.split == split]


def agreeing_openings() -> list[str]:
    """Beginnings of answers that agree to anything, for training; the prefill attack uses others."""
    return (data_folder() / "agreeing_openings.txt").read_text(encoding="utf-8").splitlines()


def neutral_paragraphs(split: Literal["train", "test"]) -> list[str]:
    """Harmless text, a paragraph each, to bury a query in."""
    name = {"train": "training_context.txt", "test": "neutral_context.txt"}[split]
    return (data_folder() / name).read_text(encoding="utf-8").strip().split("\n\n")


def neutral_wrappers(split: Split) -> list[Template]:
    """Harmless framings of one split."""
    return [t for t in read_templates(data_folder() / "neutral_wrappers.jsonl") if t.split == split]
