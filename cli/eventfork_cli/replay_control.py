"""Replay control as the command reaches it."""

from eventfork_cli.control_function import ControlFunction
from eventfork_cli.deployment import Deployment

__all__ = ["ReplayControl"]


class ReplayControl(ControlFunction):
    """Replay control of a stack.

    Parameters
    ----------
    deployment
        The stack.
    """

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment, "ReplayControlFunctionName", "Replay control")
