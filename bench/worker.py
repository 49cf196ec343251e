"""One task in a process of its own: ``python -m bench.worker MODULE:FUNCTION [ARGUMENT ...]``.

The arguments are JSON, and so is what is printed: the function's answer.
"""

import importlib
import json
import sys


def main() -> None:
    name, *arguments = sys.argv[1:]
    module, _, function = name.partition(":")
    task = getattr(importlib.import_module(f"bench.{module}"), function)
    answer = task(*map(json.loads, arguments))
    if answer is not None:
        print(json.dumps(answer))


if __name__ == "__main__":
    main()
