"""Sleeps until experiments have ended, without holding a worker."""

from typing import ClassVar

from pydantic import Field

from agents.observation import experiment_line
from agents.tools import TOOLS, Arguments, Tool, ToolActor, ToolResult
from experiments.errors import InvalidInput
from experiments.lifecycle import EXPERIMENT_TERMINAL
from experiments.models import Experiment

LONGEST_SECONDS = 6 * 3600


class WaitArguments(Arguments):
    """What to wait for."""

    experiments: list[int] = Field(default_factory=list, max_length=50, description="Numbers of your experiments.")
    seconds: int = Field(0, ge=0, le=LONGEST_SECONDS, description="At most so long; 0: until they have ended.")


@TOOLS.register("wait")
class Wait(Tool):
    """The agent's row says what it waits for; the news at its next step says what came of it."""

    name: ClassVar[str] = "wait"
    summary: ClassVar[str] = (
        "Sleep until the experiments have ended, or until the seconds are over. Call it last: you go on afterwards, and"
        " are told what came of them."
    )
    Arguments: ClassVar[type[Arguments]] = WaitArguments
    outside: ClassVar[bool] = True
    writes: ClassVar[bool] = False

    def run(self, actor: ToolActor, arguments: WaitArguments) -> ToolResult:
        """Raises: InvalidInput for an experiment that is not there, or nothing to wait for."""
        if not arguments.experiments and not arguments.seconds:
            raise InvalidInput("name experiments or seconds", pointer="#/experiments")
        visible = Experiment.objects.visible_to(actor.user).select_related("benchmark", "method")
        found = {each.pk: each for each in visible.filter(pk__in=arguments.experiments)}
        missing = sorted(set(arguments.experiments) - set(found))
        if missing:
            raise InvalidInput(f"no experiment {missing[0]}", pointer="#/experiments")
        open_ones = [key for key, each in found.items() if each.state not in EXPERIMENT_TERMINAL]
        if arguments.experiments and not open_ones:
            return ToolResult("All of them have ended:\n" + "\n".join(map(experiment_line, found.values())))
        text = f"Sleeping until {', '.join(f'#{key}' for key in open_ones)} have ended." if open_ones else "Sleeping."
        return ToolResult(text, wait_for=tuple(open_ones), wait_seconds=arguments.seconds)
