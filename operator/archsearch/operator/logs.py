"""Logging of the operator: lines for people, or JSON for programs; one handler for it, for kopf and for its client."""

import json
import logging
import sys
from datetime import UTC, datetime
from enum import StrEnum


class LogLevel(StrEnum):
    """What is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """How."""

    TEXT = "text"
    JSON = "json"


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["stack"] = self.formatException(record.exc_info)
        return json.dumps(entry)


def set_up_logging(level: LogLevel, form: LogFormat) -> None:
    """Log to standard error from now on."""
    handler = logging.StreamHandler(sys.stderr)
    plain = logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    handler.setFormatter(_Json() if form is LogFormat.JSON else plain)
    logging.basicConfig(level=level.value.upper(), handlers=[handler], force=True)
    if level is not LogLevel.DEBUG:
        # kopf tells at INFO what it does for every object, which here is nothing.
        logging.getLogger("kopf").setLevel(logging.WARNING)
        # It says at each start that it leaves the signals to us, which is how it is meant (handlers.watch_searches).
        logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
