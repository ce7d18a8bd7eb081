"""What the engine makes of an access token for a method of a REST API that asks for a scope."""

from __future__ import annotations

import http.client
import json
import urllib.parse
import urllib.request
from typing import Any

import pytest

from local.engine.process import Engine
from tests.engine.workbench import Workbench

TEMPLATE = """
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Resources:
  Pool:
    Type: AWS::Cognito::UserPool
  Server:
    Type: AWS::Cognito::UserPoolResourceServer
    Properties:
      UserPoolId: !Ref Pool
      Identifier: shop
      Name: shop
      Scopes:
        - {ScopeName: parcels.write, ScopeDescription: Send}
        - {ScopeName: parcels.read, ScopeDescription: Look}
  Client:
    Type: AWS::Cognito::UserPoolClient
    DependsOn: Server
    Properties:
      UserPoolId: !Ref Pool
      GenerateSecret: true
      AllowedOAuthFlowsUserPoolClient: true
      AllowedOAuthFlows: [client_credentials]
      AllowedOAuthScopes: [shop/parcels.write, shop/parcels.read]
  Api:
    Type: AWS::Serverless::Api
    Properties:
      StageName: v1
      DefinitionBody:
        openapi: 3.0.1
        info: {title: parcels, version: "1"}
        components:
          securitySchemes:
            callers:
              type: apiKey
              name: Authorization
              in: header
              x-amazon-apigateway-authtype: cognito_user_pools
              x-amazon-apigateway-authorizer: {type: cognito_user_pools, providerARNs: [!GetAtt Pool.Arn]}
        paths:
          /parcels:
            post:
              security: [{callers: [shop/parcels.write]}]
              responses: {"202": {description: Accepted}}
              x-amazon-apigateway-integration:
                type: mock
                requestTemplates: {application/json: '{"statusCode": 202}'}
                responses: {default: {statusCode: "202"}}
Outputs:
  id: {Value: !Ref Api}
  client: {Value: !Ref Client}
  secret: {Value: !GetAtt Client.ClientSecret}
"""


@pytest.fixture(scope="module")
def api(workbench: Workbench) -> dict[str, str]:
    """Make a user pool with a client that may have either scope, and an API that asks for the first."""
    return workbench.deploy("scopes", TEMPLATE)


def _token(engine: Engine, api: dict[str, str], scope: str) -> str:
    credentials = {"client_id": api["client"], "client_secret": api["secret"]}
    form = urllib.parse.urlencode({"grant_type": "client_credentials", "scope": scope, **credentials})
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(f"{engine.url}/oauth2/token", form.encode(), timeout=120) as answer:
        token: str = json.load(answer)["access_token"]
        return token


def _answer(engine: Engine, api: dict[str, str], token: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(engine.host, engine.port, timeout=120)
    try:
        headers = {"authorization": f"Bearer {token}"}
        connection.request("POST", f"/restapis/{api['id']}/v1/_user_request_/parcels", headers=headers)
        response = connection.getresponse()
        response.read()
        return response.status, response.getheader("x-amzn-ErrorType")
    finally:
        connection.close()


def test_a_token_with_the_scope_is_let_in(engine: Engine, api: dict[str, str]) -> None:
    """By its signature, which the pool's own key checks."""
    assert _answer(engine, api, _token(engine, api, "shop/parcels.write"))[0] == 202


def test_a_token_without_the_scope_is_denied_and_is_not_taken_for_none(engine: Engine, api: dict[str, str]) -> None:
    """403 is for whom the authorizer knows, 401 for whom it does not."""
    token = _token(engine, api, "shop/parcels.read")
    assert _answer(engine, api, token) == (403, "AccessDeniedException")
    assert _answer(engine, api, f"{token.rpartition('.')[0]}.c2lnbmF0dXJl") == (401, "UnauthorizedException")
