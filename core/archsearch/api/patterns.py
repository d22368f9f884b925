"""The regular expressions of the API, each with the words that explain it to people.

They are anchored, and free of look-around and of classes like ``\\d``, so that pydantic, Python and an API server read
them alike.
"""

DURATION = r"^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$"
DNS_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
METRIC_NAME = r"^[A-Za-z][A-Za-z0-9_]*$"
CHOICE_NAME = r"^[A-Za-z_][A-Za-z0-9_.-]*$"
LABEL_VALUE = r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$"
QUALIFIED_NAME = (
    r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
    r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"
)
QUANTITY = r"^([0-9]+(\.[0-9]*)?|\.[0-9]+)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][-+]?[0-9]+)?$"
IMAGE = r"^[a-zA-Z0-9][-a-zA-Z0-9._:/@]*$"

WORDS = {
    DURATION: "days, hours, minutes and seconds, largest first, as 90s, 4h, 1h30m or 2d",
    DNS_LABEL: "lower-case letters, digits and -, with a letter or digit at both ends",
    METRIC_NAME: "a letter, then letters, digits and _",
    CHOICE_NAME: "a letter or _, then letters, digits, _, . and -",
    LABEL_VALUE: "letters, digits, -, _ and ., with a letter or digit at both ends",
    QUALIFIED_NAME: "a name as Kubernetes has it, as app or example.com/app",
    QUANTITY: "a quantity as Kubernetes has it, as 1, 0.5, 500m or 4Gi",
    IMAGE: "a container image, as registry.example/team/trial:1.0",
}
"""What each pattern asks for."""
