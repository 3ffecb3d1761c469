"""Tables of what casa-nano reads, hears and sees."""

from __future__ import annotations

from casa.evaluation.table_parts import Result, header, percent, source_line


def hearing_table(result: Result) -> str:
    """Error rates of the audio tower alone, of all voices and by synthesizer."""
    lines = header("voices", "word error rate %", "clips", "letter error rate of spelled words %", "clips")
    for name, found in (("all", result["all"]), *result["by_synthesizer"].items()):
        cells = [name]
        for rate in (found.get("word_error_rate"), found.get("letter_error_rate")):
            cells += [percent(rate), str(rate["items"])] if rate else ["", "0"]
        lines.append(f"| {' | '.join(cells)} |")
    near = f"Mean cosine of a vector that says a piece with that piece's embedding: {result['closeness']:.2f}."
    return "\n".join([*lines, "", near, "", source_line(result)])


def reading_table(result: Result) -> str:
    """Error rates of the vision tower alone: of characters in texts, of words in scenes; and how near its vectors lie."""
    lines = header("pictures", "n", "error rate %, by pieces", "by the character head", "cosine with the embedding")
    for name in ("instructions", "lists"):
        pieces, characters = result[name]["by_pieces"], result[name]["by_characters"]
        near = f"{result[name]['closeness']:.2f}"
        lines.append(f"| {name} | {pieces['items']} | {percent(pieces)} | {percent(characters)} | {near} |")
    words = result["scenes"]["by_pieces"]
    lines.append(f"| scenes | {words['items']} | {percent(words)} | | |")
    return "\n".join([*lines, "", source_line(result)])


def perception_table(result: Result) -> str:
    """What the undefended model reads, hears and sees, and how far it follows other forms as it follows text."""
    lines = header("what", "n", "%")
    for name, found in result.items():
        if isinstance(found, dict) and "low" in found:
            lines.append(f"| {name} | {found.get('items', found.get('n'))} | {percent(found)} |")
    for form, found in result["followed as text is"].items():
        lines.append(f"| ROUGE-L of answers to a {form} with those to the same text | | {100 * found['rouge_l']:.1f} |")
    return "\n".join([*lines, "", source_line(result)])
