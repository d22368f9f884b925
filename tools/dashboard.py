"""The Grafana dashboard of a search, written to standard output as JSON: ``make dashboards``.

Every expression is evaluated by a real Prometheus in the tests. ``$window`` is for what happens once a child (minutes
apart), ``$__rate_interval`` for what happens all the time.
"""

import itertools
import sys
from dataclasses import dataclass

from grafana_foundation_sdk.builders import common as widgets
from grafana_foundation_sdk.builders import dashboard as boards
from grafana_foundation_sdk.builders import prometheus, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataSourceRef,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

UID = "archsearch-search"
SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
OF = 'namespace=~"$namespace", search=~"$search"'
"""Selects the searches chosen at the top."""
EACH = "namespace, search"
COLUMNS = 24
HEIGHT = 8


@dataclass(frozen=True)
class Panel:
    """One picture: ``queries`` are pairs of an expression and the legend of its lines; ``unit`` is Grafana's."""

    title: str
    description: str
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"
    lowest: float | None = 0
    """Lower end of the scale; None: as the numbers have it."""
    highest: float | None = None
    """Upper end of the scale, where there is a natural one."""


def quantile(share: float, metric: str, window: str, of: str = OF) -> str:
    """The ``share`` quantile of the histogram ``metric`` over ``window``."""
    return f"histogram_quantile({share}, sum by (le) (rate({metric}_bucket{{{of}}}[{window}])))"


ROWS: tuple[tuple[str, tuple[Panel, ...]], ...] = (
    (
        "Progress",
        (
            Panel(
                "Children over",
                "Children that are over, by outcome, and those that took over an equal child's result; confirmations.",
                (
                    (f"sum by (outcome) (archsearch_children_total{{{OF}}})", "{{outcome}}"),
                    (f"sum(archsearch_children_reused_total{{{OF}}})", "Reused"),
                    (f"sum(archsearch_confirmations_total{{{OF}}})", "Confirmations"),
                ),
            ),
            Panel(
                "Children in training, and slots",
                "Children being trained beside the number that may be; those that wait. Confirmations are among them.",
                (
                    (f"sum(archsearch_children_running{{{OF}}})", "in training"),
                    (f"sum(archsearch_slots{{{OF}}})", "slots"),
                    (f"sum(archsearch_children_pending{{{OF}}})", "waiting"),
                ),
            ),
            Panel(
                "Children an hour",
                "Children that ended, by outcome, at the pace of the chosen window.",
                ((f"sum by (outcome) (rate(archsearch_children_total{{{OF}}}[$window])) * 3600", "{{outcome}}"),),
            ),
        ),
    ),
    (
        "Learning",
        (
            Panel(
                "Rewards",
                "Reward of the best child, reward taught last, and the moving average that the policy compares with.",
                (
                    (f"max by ({EACH}) (archsearch_best_reward{{{OF}}})", "{{search}} best"),
                    (f"max by ({EACH}) (archsearch_last_reward{{{OF}}})", "{{search}} last"),
                    (f"max by ({EACH}) (archsearch_policy_baseline_reward{{{OF}}})", "{{search}} baseline"),
                ),
                lowest=None,
            ),
            Panel(
                "Entropy of decisions (nats)",
                "Falls as the policy makes up its mind; 0: it samples one child only. Of recent proposals, and of the "
                "policy's distributions as they stand.",
                (
                    (f"max by ({EACH}) (archsearch_policy_entropy_nats{{{OF}}})", "{{search}} proposals"),
                    (f"max by ({EACH}) (archsearch_decisions_entropy_nats{{{OF}}})", "{{search}} distributions"),
                ),
            ),
            Panel(
                "Observations taught",
                "Rewards that the policy has learnt from; starts of controllers and replays of the ledger into them.",
                (
                    (f"max by ({EACH}) (archsearch_policy_version{{{OF}}})", "{{search}} observations"),
                    (f"sum by ({EACH}) (archsearch_controller_starts_total{{{OF}}})", "{{search}} controllers started"),
                    (f"sum by ({EACH}) (archsearch_controller_replays_total{{{OF}}})", "{{search}} replays"),
                ),
            ),
        ),
    ),
    (
        "Efficiency",
        (
            Panel(
                "Dead time between children",
                "From a child's exit to the process start of the next one in its slot.",
                (
                    (quantile(0.5, "archsearch_dead_time_seconds", "$window"), "p50"),
                    (quantile(0.99, "archsearch_dead_time_seconds", "$window"), "p99"),
                ),
                unit="s",
            ),
            Panel(
                "GPU time by outcome",
                "Time that children which are over have held GPUs.",
                ((f"sum by (outcome) (archsearch_gpu_seconds_total{{{OF}}})", "{{outcome}}"),),
                unit="s",
            ),
            Panel(
                "GPU busy share",
                "Share of the slots that children are assigned to, and the share of slots' time lost between children.",
                (
                    (f"sum(archsearch_children_running{{{OF}}}) / (sum(archsearch_slots{{{OF}}}) > 0)", "assigned"),
                    (
                        f"sum(rate(archsearch_dead_time_seconds_sum{{{OF}}}[$window])) "
                        f"/ (sum(archsearch_slots{{{OF}}}) > 0)",
                        "lost between children",
                    ),
                ),
                unit="percentunit",
                highest=1,
            ),
            Panel(
                "Proposals",
                "From asking the controller for a child to its answer.",
                (
                    (quantile(0.5, "archsearch_proposal_duration_seconds", "$window"), "p50"),
                    (quantile(0.99, "archsearch_proposal_duration_seconds", "$window"), "p99"),
                ),
                unit="s",
            ),
        ),
    ),
    (
        "Operator",
        (
            Panel(
                "Passes",
                "Duration of a pass over a search, and how long a wake-up waits for its pass.",
                (
                    (quantile(0.5, "archsearch_reconcile_duration_seconds", "$__rate_interval"), "pass p50"),
                    (quantile(0.99, "archsearch_reconcile_duration_seconds", "$__rate_interval"), "pass p99"),
                    (quantile(0.99, "archsearch_queue_age_seconds", "$__rate_interval", of=""), "wake-up waits p99"),
                ),
                unit="s",
            ),
            Panel(
                "Errors",
                "Passes that failed, by reason, and API calls that were not answered well, by status.",
                (
                    (
                        f"sum by (reason) (rate(archsearch_reconcile_errors_total{{{OF}}}[$__rate_interval])) "
                        "or on() vector(0)",
                        "pass {{reason}}",
                    ),
                    (
                        'sum by (code) (rate(archsearch_api_calls_total{code!~"2.."}[$__rate_interval])) '
                        "or on() vector(0)",
                        "API {{code}}",
                    ),
                ),
                unit="ops",
            ),
            Panel(
                "API calls",
                "Calls of the API server, by verb and resource.",
                (
                    (
                        "sum by (verb, resource) (rate(archsearch_api_calls_total[$__rate_interval]))",
                        "{{verb}} {{resource}}",
                    ),
                ),
                unit="ops",
            ),
            Panel(
                "Time since the last pass",
                "Grows without end where the operator no longer looks at a search that is not over.",
                ((f"time() - max by ({EACH}) (archsearch_last_pass_timestamp_seconds{{{OF}}})", "{{search}}"),),
                unit="s",
            ),
            Panel(
                "Operators that hold the Lease",
                "Exactly one: none acts where it is 0.",
                (("sum(archsearch_lease_held)", "holders"),),
            ),
            Panel(
                "Memory",
                "Resident memory of the operator's process.",
                (("process_resident_memory_bytes and on (job, instance) archsearch_lease_held", "{{instance}}"),),
                unit="bytes",
            ),
        ),
    ),
)


def build() -> boards.Dashboard:
    """The dashboard, unbuilt."""
    board = (
        boards.Dashboard("archsearch: searches")
        .uid(UID)
        .description("Progress, learning and efficiency of searches, and the health of their operator.")
        .tags(["archsearch"])
        .refresh("30s")
        .time("now-3h", "now")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(boards.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(_variable("namespace", "Namespace", "label_values(archsearch_slots, namespace)"))
        .with_variable(_variable("search", "Search", 'label_values(archsearch_slots{namespace=~"$namespace"}, search)'))
        .with_variable(
            boards.IntervalVariable("window")
            .label("Window")
            .description("What the pace and the quantiles of children are taken over.")
            .values("5m,15m,1h,6h")
            .current(VariableOption(selected=True, text="15m", value="15m"))
        )
    )
    numbers = itertools.count(1)
    for title, panels in ROWS:
        board.with_row(boards.Row(title).id(next(numbers)))
        for panel in panels:
            width = COLUMNS // (3 if len(panels) % 3 == 0 else 4)
            board.with_panel(_timeseries(panel, width).id(next(numbers)))
    return board


def _variable(name: str, label: str, query: str) -> boards.QueryVariable:
    return (
        boards.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query({"query": query, "refId": name})
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(VariableOption(selected=True, text=["All"], value=["$__all"]))
    )


def _timeseries(panel: Panel, width: int) -> timeseries.Panel:
    shape = (
        timeseries.Panel()
        .title(panel.title)
        .description(panel.description)
        .datasource(SOURCE)
        .unit(panel.unit)
        .span(width)
        .height(HEIGHT)
        .fill_opacity(8)
        .show_points(common.VisibilityMode.NEVER)
        .legend(widgets.VizLegendOptions().placement(common.LegendPlacement.BOTTOM).show_legend(True))
        .tooltip(widgets.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI))
    )
    if panel.lowest is not None:
        shape.min(panel.lowest)
    if panel.highest is not None:
        shape.axis_soft_max(panel.highest)
    for place, (expression, legend) in enumerate(panel.queries):
        query = prometheus.Dataquery().expr(expression).legend_format(legend).range().ref_id(chr(ord("A") + place))
        shape.with_target(query)
    return shape


def render() -> str:
    """The dashboard as JSON, sorted, so that a change of one line changes one line."""
    return JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False).encode(build().build()) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render())
