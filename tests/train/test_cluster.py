from __future__ import annotations

import json
from typing import Any

import pytest

from hemline.errors import UserError
from hemline_train.cluster import Cluster, cluster_from_environment

TWO = {"worker": ["pc-1:2222", "pc-2:2222"]}


def config(cluster: Any, kind: Any = "worker", index: Any = 0) -> str:
    return json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})


@pytest.mark.parametrize(
    ("text", "cluster"),
    [
        (None, None),
        ("", None),
        (config({"worker": ["pc-1:2222"]}), None),  # alone
        (config(TWO, index=1), Cluster(("pc-1:2222", "pc-2:2222"), 1)),
        # A chief comes before the workers.
        (config({"chief": ["a:1"], "worker": ["b:1"]}), Cluster(("a:1", "b:1"), 1)),
        (config({"chief": ["a:1"], "worker": ["b:1"]}, "chief"), Cluster(("a:1", "b:1"), 0)),
        (
            config({"worker": ["[::1]:2222", "[::1]:2223"]}),
            Cluster(("[::1]:2222", "[::1]:2223"), 0),
        ),
    ],
)
def test_the_processes_and_ones_own_number_are_read(
    text: str | None, cluster: Cluster | None
) -> None:
    assert cluster_from_environment({} if text is None else {"TF_CONFIG": text}) == cluster


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "Expecting"),
        ("[]", "TF_CONFIG"),
        ('{"cluster": {}}', "no 'task'"),
        (config({}), "names no process"),
        (config(TWO, index=2), "worker 2, which its cluster has not"),
        (config(TWO, index=True), "worker True"),
        (config(TWO, "chief"), "chief 0"),
        (config(TWO, "evaluator"), "evaluator 0"),
        (config({**TWO, "ps": ["c:1"]}), "has ps"),
        (config({"chief": ["a:1", "b:1"]}, "chief"), "2 chiefs"),
        (config({"worker": ["a:1", "a:1"]}), "twice"),
        (config({"worker": ["a", "b"]}), "'a', not HOST:PORT"),
        (config({"worker": [1, 2]}), "1, not HOST:PORT"),
    ],
)
def test_what_names_no_processes_is_refused_in_words(text: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        cluster_from_environment({"TF_CONFIG": text})
    assert said in caught.value.problem
    assert "unset it" in caught.value.hint
