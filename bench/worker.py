"""One task in a process of its own: ``python -m bench.worker time|count|call TASK [ARGUMENT ...]``.

A task is "module:function", its arguments are JSON, and so is what is printed. `time` and `count`
take two and four arguments of their own first; see ``harness.Bench``.
"""

import importlib
import json
import sys
from typing import Any

# What is kept of pyperf's metadata: no name of a machine, no path of its.
METADATA = (
    "aslr",
    "cpu_count",
    "cpu_freq",
    "cpu_model_name",
    "date",
    "load_avg_1min",
    "python_version",
    "runnable_threads",
    "timer",
)


def main() -> None:
    how, name, *texts = sys.argv[1:]
    arguments = [json.loads(text) for text in texts]
    module, _, function = name.partition(":")
    task = getattr(importlib.import_module(f"bench.{module}"), function)
    answer = task(*arguments) if how == "call" else measure(how, task, arguments)
    if answer is not None:
        print(json.dumps(answer))


def measure(how: str, task: Any, arguments: list[Any]) -> Any:
    """Let the task's participants take turns, by a clock or under callgrind."""
    from . import harness

    own = 4 if how == "count" else 2
    numbers, rest = arguments[:own], arguments[own:]
    made = task(*rest)
    made.prove()
    if how == "count":
        told = harness.counts(made.calls, *numbers)
        made.prove()
        return told
    values = harness.interleave(made.calls, *numbers, made.clock)
    made.prove()
    pyperf: Any = importlib.import_module("pyperf")
    collected = pyperf.Run([1.0]).get_metadata()
    metadata = {name: collected[name] for name in METADATA if name in collected}
    return {"values": values, "metadata": metadata}


if __name__ == "__main__":
    main()
