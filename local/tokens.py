"""Access tokens of a deployed stack's user pool, got from the engine as callers get them from Cognito."""

from __future__ import annotations

import base64
import hashlib
import http
import json
import secrets
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import urllib3

from local.deployment import DeploymentTarget
from local.errors import TokenError

__all__ = ["customer_token", "make_customer", "service_token", "services_secret", "token_url"]

TIMEOUT_SECONDS: Final = 120


def token_url(engine: DeploymentTarget) -> str:
    """Return where tokens are given; in AWS, it is at the stack's output SignInUrl."""
    return f"{engine.url}/oauth2/token"


def services_secret(engine: DeploymentTarget, outputs: Mapping[str, str]) -> str:
    """Return the secret by which services get tokens, as the user pool keeps it.

    Parameters
    ----------
    engine
        The engine the stack was deployed to.
    outputs
        Outputs of the root stack, which makes a user pool.
    """
    client = _client(engine, outputs, "ServicesClientId")
    secret: str = client["ClientSecret"]
    return secret


def service_token(engine: DeploymentTarget, outputs: Mapping[str, str], *scopes: str) -> str:
    """Get an access token of a service.

    Parameters
    ----------
    engine, outputs
        As for `services_secret`.
    *scopes
        What the token is for; all that services may do, when left alone.

    Raises
    ------
    TokenError
        If there is none to be had.
    """
    form = {"grant_type": "client_credentials", **({"scope": " ".join(scopes)} if scopes else {})}
    credentials = f"{outputs['ServicesClientId']}:{services_secret(engine, outputs)}"
    return _token(engine, form, urllib3.make_headers(basic_auth=credentials))


def make_customer(engine: DeploymentTarget, outputs: Mapping[str, str], customer_id: str) -> str:
    """Make a user who is this customer, as an administrator does, and return the password."""
    password = f"{secrets.token_urlsafe(24)}aA1!"
    cognito, pool = engine.client("cognito-idp"), outputs["UserPoolId"]
    cognito.admin_create_user(UserPoolId=pool, Username=customer_id, TemporaryPassword=password)
    cognito.admin_set_user_password(UserPoolId=pool, Username=customer_id, Password=password, Permanent=True)
    return password


def customer_token(engine: DeploymentTarget, outputs: Mapping[str, str], customer_id: str, password: str) -> str:
    """Get an access token of a customer, who signs in: authorization code with PKCE.

    Parameters
    ----------
    engine, outputs
        As for `services_secret`; the stack has a CustomerCallbackUrl.
    customer_id, password
        As for, and from, `make_customer`.

    Raises
    ------
    TokenError
        If the customer cannot sign in, or there is no token to be had.
    """
    client = _client(engine, outputs, "CustomersClientId")
    [callback] = client["CallbackURLs"]
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    sign_in = {
        "username": customer_id,
        "password": password,
        "client_id": outputs["CustomersClientId"],
        "redirect_uri": callback,
        "response_type": "code",
        "scope": " ".join(client["AllowedOAuthScopes"]),
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    answer = _post(f"{engine.url}/login", sign_in, {})
    [code] = parse_qs(urlsplit(answer.headers.get("location", "")).query).get("code", [""])
    if not code:
        raise TokenError(f"the customer {customer_id} could not sign in, {answer.status}")
    form = {
        "grant_type": "authorization_code",
        "client_id": outputs["CustomersClientId"],
        "redirect_uri": callback,
        "code": code,
        "code_verifier": verifier,
    }
    return _token(engine, form, {})


def _client(engine: DeploymentTarget, outputs: Mapping[str, str], output: str) -> dict[str, Any]:
    cognito = engine.client("cognito-idp")
    answer = cognito.describe_user_pool_client(UserPoolId=outputs["UserPoolId"], ClientId=outputs[output])
    client: dict[str, Any] = answer["UserPoolClient"]
    return client


def _token(engine: DeploymentTarget, form: Mapping[str, str], headers: Mapping[str, str]) -> str:
    answer = _post(token_url(engine), form, headers)
    if answer.status != http.HTTPStatus.OK:
        raise TokenError(f"{answer.status} {answer.data.decode(errors='replace')[:500]}")
    token: str = json.loads(answer.data)["access_token"]
    return token


def _post(url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
    # Past every proxy, since the engine is on this machine.
    return urllib3.PoolManager(retries=False, timeout=TIMEOUT_SECONDS).request(
        "POST", url, fields=dict(form), headers=dict(headers), encode_multipart=False, redirect=False
    )
