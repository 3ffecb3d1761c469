"""How a model is asked: every turn of a conversation is answered by the model itself."""

from __future__ import annotations

from inspect_ai.solver import Generate, Solver, TaskState, solver


@solver
def turn_by_turn() -> Solver:
    """The model answers the last message, and before that every user message that another one follows.

    Earlier answers that the conversation holds are left as they are, and a last assistant message is continued. The output is
    that of the last turn.
    """

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        given = state.messages
        state.messages = []
        for message, following in zip(given, [*given[1:], None], strict=True):
            state.messages.append(message)
            if following is None or message.role == following.role == "user":
                state = await generate(state)
        return state

    return solve
