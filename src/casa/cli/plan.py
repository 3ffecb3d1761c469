"""Prints the dry run of a recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

from casa.cli.console import err, out, printable

if TYPE_CHECKING:
    from casa.training.plan import Plan

_GB = 1e9


def print_plan(plan: Plan) -> None:
    """The plan as tables on stdout; its problems as a list on stderr."""
    content = plan.as_json()
    if "gpus" in content:
        out.print(_summary(plan, content))
        out.print(_memory(content["memory_bytes"]))
        out.print(_gpus(content))
    for note in plan.notes:
        out.print(f"note: {printable(note)}", style="yellow", markup=False, soft_wrap=True)
    for problem in plan.problems:
        err.print(f"problem: {printable(problem)}", style="red", markup=False, soft_wrap=True)
    if plan.problems:
        err.print(f"{len(plan.problems)} to mend before this recipe can be trained", style="red")


def _summary(plan: Plan, content: dict[str, Any]) -> Table:
    model, work = content["model"], content["work"]
    layers = ", ".join(f"{count} {name}" for name, count in model["lora_layers"].items())
    table = Table("", "", title=f"{plan.recipe.base_model} (dry run)", show_header=False)
    rows = {
        "model class": model["model_class"],
        "parameters": f"{model['parameters']:,}",
        "trainable": f"{model['trainable']:,} ({100 * model['trainable'] / model['parameters']:.2g} %)",
        "of them LoRA": f"{model['lora_parameters']:,} on {layers}",
        "safety tokens": f"{model['token_parameters']:,} in the rows of ids {tuple(content['safety_tokens'].values())}",
        "safety attention": f"{model['attention_parameters']:,}",
        "examples": ", ".join(f"{count:,} {name}" for name, count in plan.examples.items() if count),
        "steps": f"{work['steps']:,} of {plan.training.gradient_accumulation_steps} x {work['rows']} rows",
        "tokens": f"{work['tokens']:,}, padding included; the largest batch has rows of {work['row_tokens']}",
        "arithmetic": f"{content['flops']:.2g} floating-point operations in training",
    }
    for name, value in rows.items():
        table.add_row(name, printable(value))
    return table


def _memory(memory: dict[str, dict[str, float]]) -> Table:
    table = Table("GB on one GPU", *memory, title="Memory (estimated)")
    for part in next(iter(memory.values())):
        table.add_row(part.replace("_", " "), *(f"{column[part] / _GB:.2f}" for column in memory.values()))
    return table


def _gpus(content: dict[str, Any]) -> Table:
    share = f"{content['setting']}; at {100 * content['assumed_utilisation']:.0f} % of the data sheet's dense bfloat16, assumed"
    table = Table("GPU", "fits", "hours of training", "hours round it", title=f"Time ({share})")
    for name, row in content["gpus"].items():
        fits = "yes" if row["fits"] else f"only {row['fits_with']}" if row["fits_with"] else "no"
        table.add_row(name, fits, *(f"{row[hours]:.2g}" for hours in ("training_hours", "other_hours")))
    return table
