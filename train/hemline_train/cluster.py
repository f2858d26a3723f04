"""Who trains together: the processes that the environment variable `TF_CONFIG` names."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from hemline.errors import UserError

VARIABLE = "TF_CONFIG"
_ADDRESS = re.compile(r"[^\s:/]+:\d{1,5}|\[[0-9A-Fa-f:.]+\]:\d{1,5}")
_EXAMPLE = (
    '{"cluster": {"worker": ["pc-1:2222", "pc-2:2222"]}, "task": {"type": "worker", "index": 0}}'
)


@dataclass(frozen=True)
class Cluster:
    """The processes of one training, and which of them this is.

    Attributes:
        addresses: HOST:PORT of each; the first is the chief.
        number: Of this process, from 0.
    """

    addresses: tuple[str, ...]
    number: int


def cluster_from_environment(environment: Mapping[str, str] = os.environ) -> Cluster | None:
    """What `TF_CONFIG` says; None where it is not set, or names this process alone.

    Raises:
        UserError: It is not what TensorFlow's MultiWorkerMirroredStrategy takes.
    """
    text = environment.get(VARIABLE, "")
    if not text.strip():
        return None
    try:
        content = json.loads(text)
        jobs, task = dict(content["cluster"]), dict(content["task"])
        kind, index = task["type"], task["index"]
        others = sorted(set(jobs) - {"chief", "worker"})
        if others:
            raise ValueError(
                f"its cluster has {', '.join(others)}, only chief and worker take part"
            )
        chiefs, workers = list(jobs.get("chief", [])), list(jobs.get("worker", []))
        if len(chiefs) > 1:
            raise ValueError(f"it has {len(chiefs)} chiefs, one is allowed")
        addresses = (*chiefs, *workers)
        for address in addresses:
            if not isinstance(address, str) or not _ADDRESS.fullmatch(address):
                raise ValueError(f"an address is {address!r}, not HOST:PORT")
        if not addresses or len(set(addresses)) < len(addresses):
            raise ValueError("it names no process, or one address twice")
        members = {"chief": chiefs, "worker": workers}.get(kind, [])
        if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < len(members):
            raise ValueError(f"its task is {kind} {index}, which its cluster has not")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise UserError(
            f"the environment variable {VARIABLE} cannot be used: {what}",
            f"unset it to train on this machine alone; with several it is such as {_EXAMPLE}",
        ) from error
    if len(addresses) == 1:
        return None
    return Cluster(addresses, index if kind == "chief" else len(chiefs) + index)
