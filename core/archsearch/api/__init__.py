"""The typed resources of archsearch: one source for manifests, CRDs and docs."""

from archsearch.api.base import API_VERSION, GROUP, VERSION, Duration, Model, seconds
from archsearch.api.objective import Direction, Objective, RewardTransform
from archsearch.api.search import ArchitectureSearch, Duplicates, ReportSource, SearchSpec, Trials, TrialTemplate
from archsearch.api.space import Choice, ConvolutionalSpace, Depth, SearchSpace
from archsearch.api.strategy import RandomStrategy, ReinforcePreset, ReinforceStrategy, Strategy
from archsearch.api.task import ImageClassification, Tabular, Task

__all__ = [
    "API_VERSION",
    "GROUP",
    "VERSION",
    "ArchitectureSearch",
    "Choice",
    "ConvolutionalSpace",
    "Depth",
    "Direction",
    "Duplicates",
    "Duration",
    "ImageClassification",
    "Model",
    "Objective",
    "RandomStrategy",
    "ReinforcePreset",
    "ReinforceStrategy",
    "ReportSource",
    "RewardTransform",
    "SearchSpace",
    "SearchSpec",
    "Strategy",
    "Tabular",
    "Task",
    "TrialTemplate",
    "Trials",
    "seconds",
]
