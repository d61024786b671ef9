"""`pytest --rootfruit-plan`: print the table, then time about ten seconds of the model, if one is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from rootfruit_checks.base.errors import ConfigError
from rootfruit_checks.config.settings import Settings
from rootfruit_checks.planning import cost, rendering, sizing, timing
from rootfruit_checks.planning import plan as outlook
from rootfruit_checks.results.json_result import write
from rootfruit_checks.runs.factory import Factory


def tell(settings: Settings, say: Callable[[str], None], factory: Factory | None = None) -> None:
    """Print the plan of a run line by line, and write it as JSON if requested.

    Raises:
        RootfruitError: the data or an earlier result cannot be read, the target cannot be reached, or the model cannot
            be timed. The table is printed, and the JSON written without times, before any model is loaded.

    """
    chosen = sizing.sized(settings)
    plan = outlook.make(chosen)
    costs = cost.of(chosen, plan.data)
    models = 1 if chosen.absolute_only or (chosen.model and not chosen.reference) else 2
    for line in rendering.table(plan, costs, models):
        say(line)
    _keep(chosen, rendering.as_json(plan, costs, None, models))
    if not timing.wanted(chosen):
        why = "give --model=PATH to time about ten seconds of it" if not chosen.model else "the model was not timed"
        say(f"Time: unknown; {why}.")
        return
    say("")
    stages = timing.probe(replace(chosen, shard=None), plan.data, factory=factory)
    for line in rendering.timing(stages, models):
        say(line)
    _keep(chosen, rendering.as_json(plan, costs, stages, models))


def _keep(settings: Settings, value: dict[str, object]) -> None:
    if settings.plan_json:
        try:
            write(settings.plan_json, value)
        except OSError as error:
            raise ConfigError(
                f"option --rootfruit-plan-json: {settings.plan_json} cannot be written ({error})"
            ) from error
