"""Where a replay can send to: the consumers that the application knows, and the rules of its bus that feed them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from eventfork.replay_filters import kind
from eventfork.replay_jobs import FieldError, ForbiddenError, Source, UnknownError

__all__ = ["REPLAYED", "Rule", "Target", "read_targets", "resolve"]

REPLAYED: Final = "replay-name"
"""What EventBridge adds to an event that it replays: the name of the replay."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule on the bus, and its pattern."""

    name: str
    arn: str
    pattern: Mapping[str, Any]

    @property
    def takes_replays(self) -> bool:
        """Whether it takes replayed events, and only them."""
        return self.pattern.get(REPLAYED) == [{"exists": True}]

    def takes(self, event: Mapping[str, Any]) -> bool:
        """Tell whether it would take an event, by source and type; what else its pattern asks for is not looked at."""
        return self._listed("detail-type", kind(event)) and self._listed("source", event.get("source"))

    def asks_for_more(self) -> bool:
        """Whether its pattern asks for more than `takes` looks at."""
        plain = all(isinstance(one, str) for name in ("detail-type", "source") for one in self.pattern.get(name, []))
        return not plain or bool(self.pattern.keys() - {"detail-type", "source", REPLAYED})

    def _listed(self, name: str, value: Any) -> bool:
        listed = self.pattern.get(name, [])
        return not listed or value in listed or not all(isinstance(one, str) for one in listed)


@dataclass(frozen=True, slots=True)
class Target:
    """A consumer.

    Attributes
    ----------
    name : str
    queue_arn : str
        Its own queue, which live events come by too.
    dead_letter_queue_arn : str
    rule_arn, buffer_queue_arn : str
        The rule that takes replayed events off the bus, and the queue it puts them on; empty for a consumer that takes
        what the topic carries.
    circuit : str
        Name of the circuit that guards what it calls; empty for none.
    """

    name: str
    queue_arn: str
    dead_letter_queue_arn: str
    rule_arn: str = ""
    buffer_queue_arn: str = ""
    circuit: str = ""

    @property
    def is_on_the_bus(self) -> bool:
        """Whether it takes events off the bus."""
        return bool(self.rule_arn)


def read_targets(text: str) -> dict[str, Target]:
    """Read the consumers from the template's JSON, by name."""
    return {
        name: Target(
            name,
            queue_arn=one["queueArn"],
            dead_letter_queue_arn=one["deadLetterQueueArn"],
            rule_arn=one.get("ruleArn", ""),
            buffer_queue_arn=one.get("bufferQueueArn", ""),
            circuit=one.get("circuit", ""),
        )
        for name, one in json.loads(text).items()
    }


def resolve(
    names: Sequence[str], source: Source, known: Mapping[str, Target], rules: Sequence[Rule]
) -> tuple[Target, ...]:
    """Give the targets that a request names: by the consumer's name, or by the name or ARN of its replay rule.

    Raises
    ------
    FieldError
        If none is named, or more than the source can feed.
    UnknownError
        If it names something else.
    ForbiddenError
        If it names a live rule, or a consumer that the source has nothing for.
    """
    if not names:
        raise FieldError("/targets", f"names no target: name at least one of {', '.join(sorted(known))}")
    found = tuple(dict.fromkeys(_resolved(name, known, rules) for name in names))
    if len(found) > 1 and source is not Source.ARCHIVE:
        raise FieldError("/targets", f"names {len(found)} targets; a replay from {source} has one")
    for target in found:
        if source is Source.ARCHIVE and not target.is_on_the_bus:
            raise ForbiddenError(
                f"{target.name} takes nothing off the bus, and an archive reaches nothing else: replay it from "
                f"{Source.QUEUE} or {Source.BACKUP}."
            )
        if source is Source.QUEUE and target.is_on_the_bus:
            raise ForbiddenError(
                f"The replay queue keeps what the topic carried, and {target.name} takes events off the bus: replay it "
                f"from {Source.ARCHIVE} or {Source.BACKUP}."
            )
    return found


def _resolved(name: str, known: Mapping[str, Target], rules: Sequence[Rule]) -> Target:
    if name in known:
        return known[name]
    rule = next((one for one in rules if name in {one.name, one.arn}), None)
    if rule is None:
        raise UnknownError(
            f"There is no consumer and no rule {name}: name {', '.join(sorted(known))}, or a replay rule of the bus."
        )
    if not rule.takes_replays:
        raise ForbiddenError(
            f"The rule {rule.name} takes live events: a replay goes to a rule whose pattern asks for {REPLAYED}."
        )
    target = next((one for one in known.values() if one.rule_arn == rule.arn), None)
    if target is None:
        raise UnknownError(f"The rule {rule.name} feeds no consumer that replays are set up for: add it to Targets.")
    return target
