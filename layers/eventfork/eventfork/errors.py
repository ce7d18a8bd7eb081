"""What a service behind a port can fail with; adapters raise these and nothing else.

ServiceError
├── NotFoundError
└── UnavailableError
"""

__all__ = ["NotFoundError", "ServiceError", "UnavailableError"]


class ServiceError(Exception):
    """A service did not do what it was asked."""


class NotFoundError(ServiceError):
    """What was asked for is not there."""


class UnavailableError(ServiceError):
    """The service did not do it, after the AWS client's own retries. Nothing counts as done; trying later may help."""
