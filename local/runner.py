"""The local run from start to end: engine, build, deployment, sample orders, and watching where orders arrive."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
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
from local.logs import keep_engine_log, keep_function_logs
from local.places import watches
from local.sample_orders import render, sample_orders

__all__ = ["Options", "look", "run", "send"]

STACK_NAME: Final = "eventfork"
FIREHOSE_INTERVAL_SCALE: Final = 0.02
ROOM_NEEDED: Final = 300_000_000
LOGS: Final = deployment.BUILD_ROOT / "logs"
LOGS_SHOWN: Final = LOGS.relative_to(deployment.PROJECT_ROOT)
EXPORTED: Final = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION", "AWS_REGION")


@dataclass(frozen=True)
class Options:
    """What can be chosen.

    Attributes
    ----------
    port : int or None
        The engine's port; a free one for None.
    once : bool
        End when every sample order has arrived everywhere, or the deadline has passed. Otherwise go on watching until
        interrupted.
    deadline : float
        Seconds the sample orders may take to arrive.
    """

    port: int | None
    once: bool
    deadline: float


def run(console: Console, options: Options) -> bool:
    """Run the application on the local engine; whatever happens, the engine is stopped at the end.

    Parameters
    ----------
    console
        Where to show what happens.
    options
        What was chosen.

    Returns
    -------
    bool
        Whether every sample order arrived everywhere.

    Raises
    ------
    LocalError, local.engine.process.EngineError
        If a step fails.
    """
    for place in (deployment.PROJECT_ROOT, Path(tempfile.gettempdir())):
        if shutil.disk_usage(place).free < ROOM_NEEDED:
            raise DiskFullError(place)
    engine = Engine(options.port, firehose_interval_scale=FIREHOSE_INTERVAL_SCALE)
    try:
        with step(console, "Starting the engine") as remark:
            engine.start()
            remark(engine.url)
        with step(console, "Building the application") as remark:
            if deployment.build().reused:
                remark("nothing has changed since the last time")
        with _engine_log_kept(engine):
            with step(console, f"Deploying the stack {STACK_NAME}"):
                outputs = deployment.deploy(engine, STACK_NAME, {})
            with watches(engine, outputs) as places:
                return _follow_orders(console, engine, outputs, places, options)
    finally:
        engine.stop()


def _follow_orders(
    console: Console, engine: Engine, outputs: Mapping[str, str], places: Sequence[Watch], options: Options
) -> bool:
    url = deployment.api_url(engine, outputs)
    arrivals = Arrivals(time.monotonic)
    started = time.monotonic()
    with _shown(console, arrivals) as show:
        send(partial(submit, url), sample_orders(), arrivals, show)
        while arrivals.expected() and time.monotonic() - started < options.deadline:
            look(places, arrivals)
            show()
    success = _summarise(console, engine, arrivals, time.monotonic() - started)
    if not options.once:
        _explain(console, engine, url, outputs)
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
        arrival = arrivals.sending(str(order["id"]))
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


def _summarise(console: Console, engine: Engine, arrivals: Arrivals, seconds: float) -> bool:
    orders = arrivals.orders
    arrived = [order for order in orders if not order.missing]
    places = ", ".join(place.value for place in Place)
    success = len(arrived) == len(orders)
    wide(console, f"{len(arrived)} of {len(orders)} orders in {places}, after {seconds:.1f} s", "bold")
    if not success:
        for order in orders:
            if order.missing:
                wide(console, order_line(order), "red")
        keep_engine_log(engine.log_file, LOGS)
        keep_function_logs(engine.client("logs"), LOGS)
        wide(console, f"The logs of the engine and the functions are in {LOGS_SHOWN}.")
    return success


def _explain(console: Console, engine: Engine, url: str, outputs: Mapping[str, str]) -> None:
    exports = " ".join(f"{name}={value}" for name, value in engine.environment().items() if name in EXPORTED)
    customer, order = "9027", "48213"
    wide(
        console,
        f"""
API           {url}/checkout
Topic         {outputs["CheckoutEventsTopicArn"]}
Orders table  {outputs["CheckoutTableName"]}
Backup        s3://{outputs["BackupBucketName"]}
Replay queue  {outputs["ReplayQueueUrl"]}
Engine's log  {engine.log_file}

Send an order, and read it again:
  curl -i -H 'content-type: application/json' -d @events/order.json {url}/checkout
  curl -i {url}/orders/{customer}/{order}

Look around with the AWS CLI:
  export {exports}

Orders are shown here as they come in. Ctrl-C stops the engine and removes everything in it.
""",
    )


@contextlib.contextmanager
def _engine_log_kept(engine: Engine) -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        keep_engine_log(engine.log_file, LOGS)
        what = f"The engine refused a call ({error})" if engine.running else "The engine has ended by itself"
        raise LocalError(f"{what}: run it again, and if that is no help, see its log in {LOGS_SHOWN}.") from error
    except LocalError:
        keep_engine_log(engine.log_file, LOGS)
        raise
