"""A trial program that trains nothing: it scores the cells of a child by a rule, to try strategies within seconds."""

import json
import os
import random
from pathlib import Path

WORTH = {
    "separable_5x5": 1.0, "separable_3x3": 0.9, "separable_7x7": 0.8, "dilated_3x3": 0.7, "conv_3x3": 0.65,
    "conv_1x7_7x1": 0.6, "conv_1x3_3x1": 0.55, "identity": 0.5, "conv_1x1": 0.4, "max_pool_3x3": 0.35,
    "avg_pool_3x3": 0.3, "max_pool_5x5": 0.15, "max_pool_7x7": 0.0,
}  # fmt: skip


def worth(cell: dict) -> float:
    """Between 0 and 1: good operations, beside an identity, over both input states, added up."""
    blocks = cell["blocks"]
    best = 0.0
    for block in blocks:
        first, second = (WORTH[operation] for operation in block["operations"])
        joined = 0.5 * (first + second) + (0.15 if "identity" in block["operations"] else 0.0)
        best += joined - (0.1 if block["combine"] == "concat" else 0.0)
    read = {state for block in blocks for state in block["inputs"]}
    return best / len(blocks) + 0.1 * len(read & {0, 1})


trial = json.loads(os.environ["ARCHSEARCH_TRIAL"])  # in: the child, the task, the seed
child, noise = trial["architecture"], trial["task"]["custom"]["noise"]
score = 0.6 * worth(child["normal"]) + 0.4 * worth(child["reduction"])
accuracy = min(1.0, 0.7 + 0.2 * score + random.Random(trial["seed"]).gauss(0, noise))
blocks = child["normal"]["blocks"] + child["reduction"]["blocks"]
cost = sum(1 + 10 * ("conv" in operation or "separable" in operation) for b in blocks for operation in b["operations"])
report = {"version": 1, "metrics": {"accuracy": accuracy, "multiplyAdds": 1e6 * cost}}
Path(os.environ["ARCHSEARCH_REPORT"]).write_text(json.dumps(report))  # out: one JSON document, then exit code 0
