"""The command `eventfork`, and `python -m eventfork_cli`."""

import logging
import sys
from io import TextIOWrapper

import click

from eventfork_cli.circuit import circuit
from eventfork_cli.events import events
from eventfork_cli.replay import replay
from eventfork_cli.search import search

__all__ = ["command", "main"]


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit status: 0 all done, 1 something is left to do, 2 wrong use, 3 it could not be done.",
)
@click.version_option(package_name="eventfork", message="%(version)s")
def command() -> None:
    """Look after an eventfork stack.

    Credentials, Region and endpoint are those that every AWS tool takes: the environment, a profile, or the options of
    each command.

    \b
    Examples:
      eventfork search kpis --region eu-central-1
      eventfork replay plan --source queue --target checkout --last 2h
      eventfork circuit show payments
      eventfork events put --source shop --type parcelSent --detail '{"parcel": 1}'
    """  # noqa: D301 - click's mark for lines to be left as they are


for group in (circuit, events, replay, search):
    command.add_command(group)


def main() -> None:
    """Run the command with the arguments of the command line."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal may know fewer characters than the names of customers have.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    # What fails is told in one sentence; botocore would print a traceback before it.
    logging.getLogger("botocore").setLevel(logging.CRITICAL)
    command(prog_name="eventfork")


if __name__ == "__main__":
    main()
