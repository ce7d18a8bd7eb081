"""A caller acts for the customer that the token names, or for any, and a caller without a name for none."""

from typing import Any

import pytest
from eventfork.callers import ANY_CUSTOMER, Caller, NotTheirsError, UnidentifiedCallerError, caller

OF_A_CUSTOMER = {"username": "9027", "scope": "eventfork/orders.write eventfork/orders.read"}
OF_A_SERVICE = {"sub": "client", "scope": f"eventfork/orders.write {ANY_CUSTOMER}"}


def context(claims: dict[str, str]) -> dict[str, Any]:
    return {"stage": "v1", "authorizer": {"claims": claims}}


def test_a_customer_acts_for_nobody_else() -> None:
    """The claim is the customer's id, to the letter."""
    called = caller(context(OF_A_CUSTOMER), "username", everybody_may_call=False)
    called.check_acts_for("9027")
    for other in ("9028", "09027", "", "9027 "):
        with pytest.raises(NotTheirsError):
            called.check_acts_for(other)


def test_a_service_acts_for_any_customer() -> None:
    """By the scope, and not because its token names no customer."""
    caller(context(OF_A_SERVICE), "username", everybody_may_call=False).check_acts_for("9027")


@pytest.mark.parametrize("scope", ["", "any-customer", f"{ANY_CUSTOMER}x", "eventfork/orders.write"])
def test_a_token_without_customer_and_without_that_scope_acts_for_nobody(scope: str) -> None:
    """Not even for a customer whose id is empty."""
    for claims in ({"sub": "1", "scope": scope}, {"username": "", "scope": scope}, {"sub": "1"}):
        for customer in ("9027", ""):
            with pytest.raises(NotTheirsError):
                caller(context(claims), "username", everybody_may_call=False).check_acts_for(customer)


def test_another_claim_may_hold_the_customer_s_id() -> None:
    """Then the username is nobody."""
    called = caller(context({**OF_A_CUSTOMER, "customer": "1"}), "customer", everybody_may_call=False)
    assert called == Caller(customer_id="1", acts_for_any=False)


@pytest.mark.parametrize("request_context", [{}, {"authorizer": None}, {"authorizer": {}}, context({})])
def test_without_claims_nobody_is_let_in_by_mistake(request_context: dict[str, Any]) -> None:
    """A method that lost its authorizer is not one that is open to everybody."""
    with pytest.raises(UnidentifiedCallerError, match="no authorizer"):
        caller(request_context, "username", everybody_may_call=False)
    caller(request_context, "username", everybody_may_call=True).check_acts_for("9027")
