"""Who calls the API, and for which customers: what the gateway says of an access token that it has checked.

NotTheirsError           a customer asks for what is another customer's
UnidentifiedCallerError  the gateway let somebody in whom it does not name: a mistake of ours
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["ANY_CUSTOMER", "Caller", "NotTheirsError", "UnidentifiedCallerError", "caller"]

ANY_CUSTOMER: Final = "eventfork/any-customer"
"""The scope of services, which act for any customer."""


class NotTheirsError(Exception):
    """A customer asks for what is another customer's."""


class UnidentifiedCallerError(RuntimeError):
    """The gateway let somebody in whom it does not name, though not everybody may call."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls.

    Attributes
    ----------
    customer_id : str or None
        The customer that the token names, if it names one.
    acts_for_any : bool
        Whether it acts for any customer: a service, or anybody where everybody may call.
    """

    customer_id: str | None
    acts_for_any: bool

    def check_acts_for(self, customer_id: str) -> None:
        """Check that the caller may act for a customer.

        Raises
        ------
        NotTheirsError
            If it may not.
        """
        if not self.acts_for_any and self.customer_id != customer_id:
            raise NotTheirsError


def caller(request_context: Mapping[str, Any], customer_id_claim: str, *, everybody_may_call: bool) -> Caller:
    """Read who calls from the context of a request, as API Gateway gives it to a function.

    Raises
    ------
    UnidentifiedCallerError
        If the gateway names nobody, though not everybody may call.
    """
    if everybody_may_call:
        return Caller(customer_id=None, acts_for_any=True)
    claims = (request_context.get("authorizer") or {}).get("claims")
    if not claims:
        raise UnidentifiedCallerError("the method of the API has no authorizer: see its security in the template")
    return Caller(
        # An empty claim names nobody.
        customer_id=claims.get(customer_id_claim) or None,
        acts_for_any=ANY_CUSTOMER in claims.get("scope", "").split(),
    )
