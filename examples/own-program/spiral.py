"""A trial program with nothing but Python: a small network learns to tell two spirals apart."""

import json
import math
import os
import random
from pathlib import Path

trial = json.loads(os.environ["ARCHSEARCH_TRIAL"])  # in: the child, the task, the seed
child, task = trial["architecture"]["values"], trial["task"]["custom"]
draw = random.Random(trial["seed"])
activate, slope = {
    "tanh": (math.tanh, lambda x: 1 - math.tanh(x) ** 2),
    "relu": (lambda x: max(x, 0.0), lambda x: float(x > 0)),
    "sin": (math.sin, math.cos),
}[child["activation"]]


def spiral(step: int) -> tuple[tuple[float, float, float], float]:
    """A point (with a constant 1 for the bias) and its label, 0 or 1."""
    turn, label = 0.5 + 4 * step / task["points"], step % 2
    angle = turn + math.pi * label
    return (turn / 4 * math.cos(angle), turn / 4 * math.sin(angle), 1.0), float(label)


points = [spiral(step) for step in range(task["points"])]
inner = [[draw.gauss(0, 1) for _ in range(3)] for _ in range(child["hidden"])]
outer = [draw.gauss(0, 1) / math.sqrt(child["hidden"]) for _ in inner]
speed = [[0.0] * 4 for _ in inner]
for _ in range(task["steps"]):
    loss = 0.0
    for point, label in draw.sample(points, len(points)):
        sums = [sum(w * x for w, x in zip(weights, point, strict=True)) for weights in inner]
        logit = sum(w * activate(s) for w, s in zip(outer, sums, strict=True))
        margin = logit if label else -logit
        loss += max(-margin, 0.0) + math.log1p(math.exp(-abs(margin)))
        error = (1 / (1 + math.exp(-logit)) if logit > -700 else 0.0) - label
        for unit, s in enumerate(sums):
            back = error * outer[unit] * slope(s)
            for i, gradient in enumerate([*(back * x for x in point), error * activate(s)]):
                speed[unit][i] = child["momentum"] * speed[unit][i] - child["rate"] * gradient
                if i < 3:
                    inner[unit][i] += speed[unit][i]
                else:
                    outer[unit] += speed[unit][i]

metrics = {"loss": loss / len(points), "parameters": 4 * child["hidden"]}
print(metrics)  # the log is for people
report = {"version": 1, "metrics": metrics}  # out: one JSON document, then exit code 0
Path(os.environ["ARCHSEARCH_REPORT"]).write_text(json.dumps(report))
