"""The local run from start to end: engine, search node, build, deployment, sample orders, and where they arrive."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.live import Live

from local import deployment
from local.arrivals import Arrivals, Place, Watch
from local.checkout_api import Submission, submit
from local.display import arrivals_table, order_line, step, wide
from local.engine.process import Engine
from local.errors import DiskFullError, LocalError, SubmissionError
from local.logs import keep_function_logs, keep_log_files
from local.places import watches
from local.sample_orders import render, sample_orders
from local.search.errors import SearchNodeError
from local.search.process import SearchNode
from local.search_index import SearchIndex, declared_mapping, mapping_differences
from local.tokens import customer_token, make_customer, service_token, services_secret, token_url

__all__ = ["Options", "look", "run", "send", "summarise"]

STACK_NAME: Final = "eventfork"
FIREHOSE_INTERVAL_SCALE: Final = 0.02
ROOM_NEEDED: Final = 500_000_000
SEARCH_MINIMUM: Final = Decimal(100)
"""What the root template's SearchMinimumAmount is when left alone."""
LOGS: Final = deployment.BUILD_ROOT / "logs"
LOGS_SHOWN: Final = LOGS.relative_to(deployment.PROJECT_ROOT)
WITH_CALLERS: Final = {"AllowAnonymousCheckout": "false", "CustomerCallbackUrl": "http://localhost:8080/"}
"""Parameters by which nobody calls without a token; nothing listens where customers return to with theirs."""
CUSTOMER: Final = "9027"
ORDER: Final = "48213"
SEARCH_COMMANDS: Final = """
After that, ask the search index what sells, or find orders:
  .venvs/main/bin/eventfork search kpis
  .venvs/main/bin/eventfork search find Grace
"""
EXPORTED: Final = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION", "AWS_REGION")


@dataclass(frozen=True)
class Options:
    """What can be chosen.

    Attributes
    ----------
    port : int or None
        The engine's port; a free one for None.
    once : bool
        End when every sample order has arrived where it must, or the deadline has passed. Otherwise go on watching
        until interrupted.
    deadline : float
        Seconds the sample orders may take to arrive.
    auth : bool
        Let nobody call the API without an access token.
    """

    port: int | None
    once: bool
    deadline: float
    auth: bool = False


@dataclass(frozen=True)
class _Deployed:
    engine: Engine
    node: SearchNode
    outputs: Mapping[str, str]
    index: SearchIndex | None

    @property
    def asks_for_tokens(self) -> bool:
        return "ServicesClientId" in self.outputs


def run(console: Console, options: Options) -> bool:
    """Run the application on the local engine; whatever happens, engine and search node are stopped at the end.

    Parameters
    ----------
    console
        Where to show what happens.
    options
        What was chosen.

    Returns
    -------
    bool
        Whether every sample order arrived where it must and nowhere else. Where no search node can be had, search is
        left out, which is no failure.

    Raises
    ------
    LocalError, local.engine.process.EngineError, local.search.errors.SearchNodeError
        If a step fails.
    """
    for place in (deployment.PROJECT_ROOT, Path(tempfile.gettempdir())):
        if shutil.disk_usage(place).free < ROOM_NEEDED:
            raise DiskFullError(place)
    engine = Engine(options.port, firehose_interval_scale=FIREHOSE_INTERVAL_SCALE)
    node = SearchNode()
    try:
        # It comes up while the other steps are done, and so costs no time of its own.
        node.launch()
        with step(console, "Starting the engine") as remark:
            engine.start()
            remark(engine.url)
        with step(console, "Building the application") as remark:
            if deployment.build().reused:
                remark("nothing has changed since the last time")
        endpoint = _search_endpoint(console, node)
        with _logs_kept(engine, node):
            with step(console, f"Deploying the stack {STACK_NAME}"):
                parameters = deployment.search_parameters(endpoint) | (WITH_CALLERS if options.auth else {})
                outputs = deployment.deploy(engine, STACK_NAME, parameters)
            index = None if endpoint is None else SearchIndex(endpoint, outputs["SearchIndexName"])
            with watches(engine, outputs, index) as places:
                return _follow_orders(console, _Deployed(engine, node, outputs, index), places, options)
    finally:
        node.close()
        engine.stop()


def _search_endpoint(console: Console, node: SearchNode) -> str | None:
    try:
        with step(console, "Starting the search node") as remark:
            node.wait_until_ready(partial(wide, console))
            remark(node.url)
    except SearchNodeError as error:
        keep_log_files([node.log_file], LOGS)
        wide(console, f"Search waits, and all else runs. {error} The log of the attempt is in {LOGS_SHOWN}.", "yellow")
        return None
    return node.url


def _follow_orders(console: Console, deployed: _Deployed, places: Sequence[Watch], options: Options) -> bool:
    engine, index = deployed.engine, deployed.index
    url = deployment.api_url(engine, deployed.outputs)
    arrivals = Arrivals(time.monotonic, search_minimum=None if index is None else SEARCH_MINIMUM)
    started = time.monotonic()
    with _shown(console, arrivals) as show:
        token = service_token(engine, deployed.outputs) if deployed.asks_for_tokens else None
        send(partial(submit, url, token=token), sample_orders(), arrivals, show)
        while arrivals.expected() and time.monotonic() - started < options.deadline:
            look(places, arrivals)
            show()
    success = summarise(console, arrivals, index, time.monotonic() - started)
    if not success:
        keep_log_files([engine.log_file, deployed.node.log_file], LOGS)
        keep_function_logs(engine.client("logs"), LOGS)
        wide(console, f"The logs of the engine, the search node and the functions are in {LOGS_SHOWN}.")
    if not options.once:
        _explain(console, deployed, url)
        with _shown(console, arrivals) as show:
            while True:
                look(places, arrivals)
                show()
    return success


def send(
    submit_order: Callable[[bytes], Submission],
    orders: Iterable[dict[str, Any]],
    arrivals: Arrivals,
    show: Callable[[], None],
) -> None:
    """Send orders to the API, one after the other, and note which were accepted.

    Parameters
    ----------
    submit_order
        Sends one order, as JSON.
    orders
        What to send.
    arrivals
        Where it is noted.
    show
        Called before and after each.
    """
    for order in orders:
        arrival = arrivals.sending(str(order["id"]), order["payment"]["amount"])
        show()
        try:
            arrivals.accepted(arrival, submit_order(render(order)).event_id)
        except SubmissionError as error:
            arrivals.refused(arrival, str(error))
        show()


def look(places: Iterable[Watch], arrivals: Arrivals) -> None:
    """Look once at every place and note what is seen there."""
    for watch in places:
        for sighting in watch.look(arrivals.pending(watch.place)):
            arrivals.record(sighting)


@contextlib.contextmanager
def _shown(console: Console, arrivals: Arrivals) -> Iterator[Callable[[], None]]:
    if console.is_terminal:
        with Live(console=console, auto_refresh=False, vertical_overflow="visible") as live:

            def draw() -> None:
                live.update(arrivals_table(arrivals, console.height), refresh=True)

            yield draw
        return
    told = {id(order) for order in arrivals.orders}

    def tell() -> None:
        for order in arrivals.orders:
            if id(order) not in told and (order.refusal or not order.missing or arrivals.overdue(order)):
                told.add(id(order))
                wide(console, order_line(order))

    yield tell


def summarise(console: Console, arrivals: Arrivals, index: SearchIndex | None, seconds: float) -> bool:
    """Show how many orders arrived where they must and nowhere else, and what the search index has.

    Parameters
    ----------
    console
        Where to show it.
    arrivals
        The orders.
    index
        The search index, if there is one.
    seconds
        How long it took.

    Returns
    -------
    bool
        Whether all orders arrived where they must and nowhere else, and the index has them, and its declared mapping.
    """
    orders = arrivals.orders
    strays = [order for order in orders if order.missing or order.misplaced]
    places = ", ".join(place.value for place in arrivals.places if place is not Place.SEARCH_INDEX)
    searched = [order for order in orders if Place.SEARCH_INDEX in order.expected_at]
    if index is not None:
        places += f", and {Place.SEARCH_INDEX.value} for the {len(searched)} of {SEARCH_MINIMUM} and more"
    wide(console, f"{len(orders) - len(strays)} of {len(orders)} orders in {places}, after {seconds:.1f} s", "bold")
    for order in strays:
        wide(console, order_line(order), "red")
    if index is None:
        return not strays
    complete, line = _index_line(index, len(searched))
    wide(console, line, "bold" if complete else "red")
    return complete and not strays


def _index_line(index: SearchIndex, expected: int) -> tuple[bool, str]:
    count = index.count()
    declared = declared_mapping()
    differences = {name: mapping_differences(declared, found) for name, found in index.mappings().items()}
    line = f"{count} of {expected} documents in the index {index.name}"
    wrong = [f"{name}{pointer}" for name, pointers in differences.items() for pointer in pointers]
    if wrong:
        return False, f"{line}, whose mapping is not the declared one: {', '.join(sorted(wrong))}"
    if not differences:
        return False, f"{line}, which does not exist"
    return count == expected, f"{line}, which has the declared mapping"


def _explain(console: Console, deployed: _Deployed, url: str) -> None:
    engine, outputs, index = deployed.engine, deployed.outputs, deployed.index
    exports = " ".join(f"{name}={value}" for name, value in engine.environment().items() if name in EXPORTED)
    token, bearer = _how_to_get_a_token(deployed)
    wide(
        console,
        f"""
API           {url}/checkout
Topic         {outputs["CheckoutEventsTopicArn"]}
Orders table  {outputs["CheckoutTableName"]}
Backup        s3://{outputs["BackupBucketName"]}
Replay queue  {outputs["ReplayQueueUrl"]}
Search index  {f"{index.endpoint}/{index.name}" if index else "waits for a search node"}
Engine's log  {engine.log_file}
{token}
Send an order, and read it again:
  curl -i {bearer}-H 'content-type: application/json' -d @events/order.json {url}/checkout
  curl -i {bearer}{url}/orders/{CUSTOMER}/{ORDER}

Look around with the AWS CLI:
  export {exports}
{SEARCH_COMMANDS if index else ""}
Orders are shown here as they come in. Ctrl-C stops the engine, and the search node, and removes everything in them.
""",
    )


def _how_to_get_a_token(deployed: _Deployed) -> tuple[str, str]:
    """Return how to get access tokens, and what curl sends one with; nothing of both where anybody may call."""
    if not deployed.asks_for_tokens:
        return "", ""
    engine, outputs = deployed.engine, deployed.outputs
    password = make_customer(engine, outputs, CUSTOMER)
    client = f"{outputs['ServicesClientId']}:{services_secret(engine, outputs)}"
    explained = f"""
A token of customer {CUSTOMER}, who signs in with the password {password}, and one of a service; each for an hour:
  TOKEN={customer_token(engine, outputs, CUSTOMER, password)}
  TOKEN={service_token(engine, outputs)}
The service's next:
  curl -s -u {client} -d grant_type=client_credentials {token_url(engine)}
"""
    return explained, '-H "authorization: Bearer $TOKEN" '


@contextlib.contextmanager
def _logs_kept(engine: Engine, node: SearchNode) -> Iterator[None]:
    log_files = [engine.log_file, node.log_file]
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        keep_log_files(log_files, LOGS)
        what = f"The engine refused a call ({error})" if engine.running else "The engine has ended by itself"
        raise LocalError(f"{what}: run it again, and if that is no help, see its log in {LOGS_SHOWN}.") from error
    except LocalError:
        keep_log_files(log_files, LOGS)
        raise
