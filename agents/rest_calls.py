"""The writes of the REST API that are open to agents, and what a policy calls each: what is not here is closed to them.

A write of the name of a tool is ruled as the tool is. Where there is no such tool the name stands for itself.
The services behind each address rule on it (services/writes.py); this is the door before them.
"""

CALLS: dict[tuple[str, str], str] = {
    ("POST", "api_experiments"): "submit_experiment",
    ("POST", "api_experiment_cancel"): "cancel_experiment",
    ("POST", "api_snapshots"): "create_snapshot",
    ("POST", "api_evaluations"): "submit_predictions",
    ("POST", "api_findings"): "post_finding",
    ("POST", "api_finding_comments"): "comment",
    ("POST", "api_finding_vote"): "vote",
    ("PUT", "api_notebook"): "notebook",
    ("POST", "api_finish"): "finish",
    ("POST", "api_events"): "report",
}


def is_open(method: str, route: str) -> bool:
    """Whether agents may ask for this at all. route: its name in the URL files."""
    return (method, route) in CALLS
