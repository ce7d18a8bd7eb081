"""Circuit control as the command reaches it."""

from eventfork_cli.control_function import ControlFunction
from eventfork_cli.deployment import Deployment

__all__ = ["CircuitControl"]


class CircuitControl(ControlFunction):
    """Circuit control of a stack.

    Parameters
    ----------
    deployment
        The stack.
    """

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment, "CircuitControlFunctionName", "Circuit control")
