"""The search that benchmarks of the local backend run: children that read scikit-learn's digits."""

import json

from archsearch.api import ArchitectureSearch


def digits(
    name: str, *, strategy: str, children: int, at_once: int, epochs: int, threads: int | None = None
) -> ArchitectureSearch:
    """``examples/digits.yaml`` with these settings; every child is trained, also one that repeats an earlier one."""
    spec = {
        "searchSpace": {
            "convolutional": {
                "depth": {"initial": 5},
                "filterHeights": [1, 3, 5],
                "filterWidths": [1, 3, 5],
                "filters": [8, 16, 32],
                "strides": [1, 2],
            }
        },
        "strategy": {strategy: {}},
        "trials": {"max": children, "parallelism": at_once, "duplicates": "Retrain"},
        "trial": {
            "threads": threads,
            "task": {
                "imageClassification": {
                    "dataset": {"digits": {}},
                    "epochs": epochs,
                    "batchSize": 64,
                    "learningRate": 0.1,
                }
            },
        },
        "seed": 5000,
    }
    document = {
        "apiVersion": "archsearch.io/v1alpha1",
        "kind": "ArchitectureSearch",
        "metadata": {"name": name},
        "spec": spec,
    }
    return ArchitectureSearch.model_validate_json(json.dumps(document))
