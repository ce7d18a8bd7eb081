"""The processes of the functions on a local engine, to be killed: as a Lambda worker is that loses its machine."""

import psutil

from local.engine.process import Engine

__all__ = ["kill"]


def kill(engine: Engine, function: str) -> int:
    """Kill the processes of a function, whatever they are doing; give how many there were."""
    return sum(_kill(process, function) for process in psutil.Process(engine.pid).children(recursive=True))


def _kill(process: psutil.Process, function: str) -> bool:
    try:
        is_of_function = process.environ().get("AWS_LAMBDA_FUNCTION_NAME") == function
        if is_of_function:
            process.kill()
    except psutil.NoSuchProcess:
        return False
    return is_of_function
