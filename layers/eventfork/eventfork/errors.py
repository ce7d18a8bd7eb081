"""What a service behind a port can fail with; adapters raise these and nothing else.

ServiceError
├── DeniedError
├── NotFoundError
├── RefusedError
└── UnavailableError
"""

__all__ = ["DeniedError", "NotFoundError", "RefusedError", "ServiceError", "UnavailableError"]


class ServiceError(Exception):
    """A service did not do what it was asked."""


class DeniedError(ServiceError):
    """Who asks is not known to the service, or may not do this."""


class NotFoundError(ServiceError):
    """What was asked for is not there."""


class RefusedError(ServiceError):
    """The service will not do it, however often it is asked; the text is its reason."""


class UnavailableError(ServiceError):
    """The service did not do it, after the AWS client's own retries. Nothing counts as done; trying later may help."""
