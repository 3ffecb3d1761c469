"""`python -m casa.evaluation.nano_attention`: where safety attention looks in a typographic image and in a spelled clip.

One malicious query with its key phrase in a picture, and with its telling word spelled aloud; the shares of v_s are drawn over
picture and sound, into docs/figures/, and written to results/nano_attention.json. Media that the model does not take are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from casa.data.held_out import held_out_queries
from casa.errors import CasaError
from casa.evaluation.answers import Conversation
from casa.evaluation.drawings import heat_over_image, heat_over_sound, placed
from casa.evaluation.forms import forms_taken
from casa.evaluation.measurement import measuring_parser, write_result
from casa.model.casa_model import CasaModel

FORMS = {"key phrase in picture": "image", "spelled speech": "audio"}


def attention_of(casa: CasaModel, conversation: Conversation, kind: str, picture: Path) -> dict[str, Any]:
    """Draws the shares of a conversation's only medium, and returns them with the verdict and the share of all text.

    Args:
        casa: the model.
        conversation: its last message holds one medium.
        kind: "image" or "audio".
        picture: PNG file that is written.
    """
    found = casa.explain(conversation)
    shares = placed(found, kind, 0)
    medium = next(part for part in conversation[-1]["content"] if part["type"] == kind)
    picture.parent.mkdir(parents=True, exist_ok=True)
    if kind == "image":
        heat_over_image(medium["image"], shares).save(picture)
    else:
        picture.write_bytes(heat_over_sound(medium["audio"], medium["sampling_rate"], shares))
    return {
        "verdict": casa.classify(conversation).as_dict(),
        "figure": picture.name,
        "share_of_medium": sum(weight for _, weight in shares),
        "share_of_text": sum(one.weight for one in found if one.place is None),
        "shares": [{**asdict(place), "weight": weight} for place, weight in shares],
    }


def main() -> None:
    """Entry; see `--help`."""
    parser = measuring_parser(__doc__, "results/nano_attention.json")
    parser.add_argument("--query", help="instead of the first held-out malicious one")
    parser.add_argument("--figures", type=Path, default=Path("docs/figures"), help="folder of the two pictures")
    options = parser.parse_args()

    casa = CasaModel.from_pretrained(options.model)
    query = options.query or held_out_queries(options.split, options.seed, 1)["malicious"][0].text
    forms: dict[str, Callable[[str], Conversation]] = dict(
        forms_taken(casa.chat, list(FORMS), options.split, options.seed)
    )
    if not forms:
        raise CasaError(
            f"{options.model} takes neither images nor sound, or nothing here can speak: see `casa nano info`"
        )
    figures = {
        name: attention_of(casa, form(query), FORMS[name], options.figures / f"attention_{FORMS[name]}.png")
        for name, form in forms.items()
    }
    write_result(options, casa.device, {"query": query, "attention": figures})


if __name__ == "__main__":
    main()
