"""`python -m casa.evaluation.nano_perception`: how well the undefended casa-nano reads, hears and sees.

Writes results/nano_perception.json. Everything is held out: texts, fonts, voices. Speech needs espeak-ng and flite; `--media`
measures pictures or sound only.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from casa.attacks.speech import LISTEN_PROMPT, Say, spoken
from casa.attacks.typography import in_a_picture
from casa.baselines.pretrained import Undefended
from casa.data.held_out import held_out_queries
from casa.evaluation import perception
from casa.evaluation.answers import Conversation
from casa.evaluation.measurement import measuring_parser, write_result
from casa.nano.speech.say import voices


def read_and_seen(base: Undefended, texts: list[str], options: argparse.Namespace) -> dict[str, Any]:
    """Error rates on rendered instructions and lists, and how many questions about scenes are answered rightly."""
    settings = (options.max_new_tokens, options.batch_size)
    pages = perception.rendered(texts, options.split, options.seed)
    lists = perception.lists(len(texts), options.split, options.seed)
    scenes = perception.scenes(len(texts), options.seed)
    return {
        "character error rate of rendered instructions": perception.reading_error(
            base, pages, perception.characters, *settings
        ),
        "character error rate of lists": perception.reading_error(base, lists, perception.characters, *settings),
        "right answers on scenes": perception.right_answers(base, scenes, *settings),
    }


def listened(base: Undefended, texts: list[str], say: Say, options: argparse.Namespace) -> dict[str, Any]:
    """Error rates on speech and on spelled words."""
    settings = (options.max_new_tokens, options.batch_size)
    sentences, spelled = perception.dictated(texts, say), perception.spelled(texts, say)
    return {
        "word error rate of speech": perception.reading_error(base, sentences, perception.words, *settings),
        "letter error rate of spelled words": perception.reading_error(
            base, spelled, perception.only_letters, *settings
        ),
    }


def main() -> None:
    """Entry; see `--help`."""
    parser = measuring_parser(__doc__, "results/nano_perception.json")
    parser.add_argument("--media", nargs="+", choices=("image", "audio"), default=["image", "audio"])
    options = parser.parse_args()

    base = Undefended.from_pretrained(options.model)
    texts = [example.text for example in held_out_queries(options.split, options.seed, options.limit)["benign"]]
    figures: dict[str, Any] = {"max_new_tokens": options.max_new_tokens}
    forms: dict[str, Callable[[str], Conversation]] = {}
    if "image" in options.media:
        figures |= read_and_seen(base, texts, options)
        forms["picture"] = in_a_picture
    if "audio" in options.media:
        say = voices(options.split, options.seed)
        figures |= listened(base, texts, say, options)
        forms["speech"] = lambda text: spoken(text, say, LISTEN_PROMPT)
    settings = (options.max_new_tokens, options.batch_size)
    figures["followed as text is"] = perception.followed(base, texts, forms, *settings)
    write_result(options, base.model.device, figures)


if __name__ == "__main__":
    main()
