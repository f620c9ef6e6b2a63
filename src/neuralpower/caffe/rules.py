"""Which layers a network has in a given phase, at a given level and with given stages."""

from __future__ import annotations

from dataclasses import dataclass

from neuralpower.caffe import caffe_pb2 as pb
from neuralpower.caffe.caffe_pb2 import LayerParameter, NetStateRule
from neuralpower.caffe.refusal import Refusal


@dataclass(slots=True, eq=False)
class State:
    """What the rules are held against."""

    phase: str
    level: int
    stages: frozenset[str]


def meets(rule: NetStateRule, state: State) -> bool:
    """Whether the state meets every condition of a ``NetStateRule``."""
    if rule.HasField("phase") and pb.Phase.Name(rule.phase) != state.phase:
        return False
    if rule.HasField("min_level") and state.level < rule.min_level:
        return False
    if rule.HasField("max_level") and state.level > rule.max_level:
        return False
    return all(stage in state.stages for stage in rule.stage) and not any(
        stage in state.stages for stage in rule.not_stage
    )


def included(layer: LayerParameter, state: State) -> bool:
    """Whether a layer is in the network; ``Refusal`` when it has both kinds of rules."""
    if not layer.include and not layer.exclude:
        return True
    if layer.include and layer.exclude:
        raise Refusal("either include rules or exclude rules; not both")
    if layer.include:
        return any(meets(rule, state) for rule in layer.include)
    return not any(meets(rule, state) for rule in layer.exclude)


def elsewhere(layer: LayerParameter, state: State) -> str:
    """In which other state a layer that ``state`` leaves out is in the network, with the option."""
    other = "TRAIN" if state.phase == "TEST" else "TEST"
    if included(layer, State(other, state.level, state.stages)):
        return f"in phase {other}: give --phase {other}"
    for rule in layer.include:
        missing = [stage for stage in rule.stage if stage not in state.stages]
        wanted = State(state.phase, state.level, state.stages | frozenset(missing))
        if missing and meets(rule, wanted):
            return f"in another stage: give {' '.join(f'--stage {name[:40]}' for name in missing)}"
    return "in another state: give its --phase, --stage or --level"
