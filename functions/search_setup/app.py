"""SearchSetupFunction: sets the index up in the search domain, as CloudFormation asks for it."""

import time
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from eventfork.adapters.cloudformation import CustomResourceRequest
from eventfork.adapters.opensearch import SearchDomain
from eventfork.search_index.set_up import SetUpError, physical_id, set_up
from eventfork.settings import session

logger = Logger()


@logger.inject_lambda_context(log_event=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Create and update set up, or set up again; delete leaves the index and all that belongs to it in place."""
    request = CustomResourceRequest(event)
    name = physical_id(request.properties)
    if request.deletes:
        request.succeed(name, {})
        return {}
    try:
        data = set_up(
            request.properties,
            SearchDomain(request.properties["Endpoint"], session()),
            seconds_left=lambda: context.get_remaining_time_in_millis() / 1000,
            sleep=time.sleep,
        )
    except SetUpError as error:
        logger.exception("index not set up")
        request.fail(name, str(error))
        return {}
    except Exception as error:
        # Without an answer CloudFormation would wait for an hour.
        logger.exception("index not set up")
        request.fail(name, f"SearchSetupFunction failed ({type(error).__name__}): see its log.")
        return {}
    logger.info("index set up", extra=data)
    request.succeed(name, data)
    return data
