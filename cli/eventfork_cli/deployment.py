"""The stack that a command works on: the one place where the command constructs sessions and clients."""

import re
import shlex
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ProfileNotFound
from eventfork.adapters.cloudformation import Stack
from eventfork.errors import DeniedError, NotFoundError, UnavailableError

from eventfork_cli.errors import (
    AccessError,
    CredentialsError,
    OutputMissingError,
    RegionError,
    StackMissingError,
    UnreachableError,
)

__all__ = ["Deployment"]

_CONFIG: Final = Config(
    connect_timeout=5,
    read_timeout=60,
    retries={"mode": "standard", "total_max_attempts": 4},
)
_PATIENT: Final = Config(read_timeout=900)
"""What is invoked may run that long, and must not be invoked anew meanwhile. Lambda developer guide, "Quotas"."""
_ASSUMED_ROLE: Final = re.compile(r"arn:(?P<partition>[^:]+):sts::(?P<account>\d+):assumed-role/(?P<name>[^/]+)/.*")


class Deployment:
    """A deployed stack, and the credentials to reach it with; nothing is looked up before it is asked for.

    Parameters
    ----------
    stack_name
        Of the application, or of a pipeline that was deployed alone.
    region, profile
        Those of the environment when None.
    options
        The words by which a command line named it, to be said again.
    """

    def __init__(
        self,
        stack_name: str,
        region: str | None = None,
        profile: str | None = None,
        options: Sequence[str] = (),
    ) -> None:
        self.stack_name = stack_name
        self.options = options
        self._region = region
        self._profile = profile

    def line(self, *words: str) -> str:
        """Give the line of a command about the same stack, to be pasted."""
        return shlex.join(("eventfork", *words, *self.options))

    @cached_property
    def session(self) -> botocore.session.Session:
        """The session, with credentials that could be read and a Region.

        Raises
        ------
        CredentialsError, RegionError
            If it has none.
        """
        session = botocore.session.get_session()
        session.set_config_variable("profile", self._profile)
        session.set_config_variable("region", self._region)
        try:
            credentials = session.get_credentials()
            if credentials is None:
                raise CredentialsError("There are no AWS credentials")
            # Those of a role or a sign-on are fetched only now, and may have run out.
            credentials.get_frozen_credentials()
        except ProfileNotFound as error:
            raise CredentialsError("There is no such profile in the AWS configuration") from error
        except (BotoCoreError, ClientError) as error:
            raise CredentialsError(f"The AWS credentials cannot be used ({type(error).__name__})") from error
        if not session.get_config_variable("region"):
            raise RegionError
        return session

    def client(self, service: str) -> Any:
        """Construct the client for a service."""
        return self.session.create_client(service, config=_CONFIG.merge(_PATIENT) if service == "lambda" else _CONFIG)

    def output(self, name: str) -> str:
        """Give an output of the stack.

        Raises
        ------
        OutputMissingError
            If it has none of this name.
        CommandError
            If the stack cannot be looked at.
        """
        try:
            return self._outputs[name]
        except KeyError:
            raise OutputMissingError(self.stack_name, name) from None

    def caller(self) -> str:
        """Give the ARN of the role or user whose credentials these are, or "your role" if that cannot be found out."""
        return _ASSUMED_ROLE.sub(r"arn:\g<partition>:iam::\g<account>:role/\g<name>", self.identity() or "your role")

    def identity(self) -> str | None:
        """Give the ARN of whose credentials these are, the name of a role's session included; None if nobody tells."""
        try:
            arn: str = self.client("sts").get_caller_identity()["Arn"]
        except (BotoCoreError, ClientError):
            return None
        return arn

    @cached_property
    def _outputs(self) -> dict[str, str]:
        client = self.client("cloudformation")
        try:
            return Stack(client, self.stack_name).outputs()
        except DeniedError as error:
            raise AccessError(
                str(error), "sign in again if that has run out, or use credentials with cloudformation:DescribeStacks"
            ) from error
        except NotFoundError as error:
            raise StackMissingError(self.stack_name, client.meta.region_name) from error
        except UnavailableError as error:
            raise UnreachableError(
                f"{error} at {client.meta.endpoint_url}", "check the network, --region and AWS_ENDPOINT_URL"
            ) from error
