"""Who may call which route: one row for every route, which test_route_matrix.py tries with every kind of caller."""

from dataclasses import dataclass, field
from typing import Any, Literal

Least = Literal["anybody", "person", "annotator", "reviewer", "manager", "owner", "administrator"]
"""Who is the least to be let in. `owner`: the person that the thing belongs to, and nobody else."""


@dataclass(frozen=True)
class Row:
    """A route's least caller, and what a request needs so that nothing but its sender can be wrong with it."""

    least: Least
    request: dict[str, Any] = field(default_factory=dict)
    ids: dict[str, Any] = field(default_factory=dict)
    """Other ids than the usual ones: the name of a parameter to a name in the world, or a value."""
    reads: bool = False
    """It changes nothing though its method could: a token that only reads may call it."""


P, V, R = "/projects/{project_id}", "/projects/{project_id}/versions/{number}", "/runs/{run_id}"
A = "/api/v1"
UPLOAD = {"import_id": "upload_id"}
CSV = {"ids": {"form": "=csv"}}
FILE = {"files": {"file": ("a.csv", b"text\nHello.\n")}}
FRAMES = {"files": {"file": ("give.xml", b"<frameset/>")}}
FINE = "a long enough one"

ROUTES: dict[tuple[str, str], Row] = {
    # -- everybody
    ("GET", f"{A}/openapi.json".replace("/v1", "")): Row("anybody"),
    ("GET", "/healthz"): Row("anybody"),
    ("GET", "/readyz"): Row("anybody"),
    ("GET", "/setup"): Row("anybody"),
    ("POST", "/setup"): Row("anybody", {"data": {"token": "x", "email": "x@example.org"}}),
    ("GET", "/login"): Row("anybody"),
    ("POST", "/login"): Row("anybody", {"data": {"email": "x@example.org", "password": "x"}}),
    ("POST", "/logout"): Row("anybody"),
    ("POST", "/preferences"): Row("anybody", {"data": {"theme": "dark"}}),
    ("GET", "/api/docs"): Row("anybody"),
    # -- one's own account
    ("GET", f"{A}/me"): Row("person"),
    ("GET", f"{A}/tokens"): Row("person"),
    ("POST", f"{A}/tokens"): Row("person", {"json": {"name": "x", "password": "$password"}}),
    ("DELETE", A + "/tokens/{token_id}"): Row("owner"),
    ("GET", "/account"): Row("person"),
    ("POST", "/account/password"): Row("person", {"data": {"current": "$password", "password": FINE}}),
    ("POST", "/account/logout-everywhere"): Row("person"),
    ("POST", "/account/tokens"): Row("person", {"data": {"name": "x", "token_password": "$password"}}),
    ("POST", "/account/tokens/{token_id}/revoke"): Row("owner"),
    # -- administrators
    ("GET", f"{A}/users"): Row("administrator"),
    ("POST", f"{A}/users"): Row(
        "administrator", {"json": {"email": "x@example.org", "name": "X", "password": FINE}}
    ),
    ("PATCH", A + "/users/{user_id}"): Row("administrator", {"json": {"is_active": False}}),
    ("GET", f"{A}/workers"): Row("administrator"),
    ("GET", f"{A}/audit"): Row("administrator"),
    ("GET", f"{A}/audit/export.csv"): Row("administrator"),
    ("GET", "/admin/audit"): Row("administrator"),
    ("GET", "/admin/audit/export.csv"): Row("administrator"),
    ("GET", "/admin/users"): Row("administrator"),
    ("POST", "/admin/users"): Row(
        "administrator", {"data": {"email": "x@example.org", "name": "X", "password": FINE}}
    ),
    ("POST", "/admin/users/{user_id}/active"): Row("administrator", {"data": {"active": "0"}}),
    ("GET", "/admin/workers"): Row("administrator"),
    # -- projects
    ("GET", f"{A}/tasks"): Row("person"),
    ("GET", f"{A}/projects"): Row("person"),
    ("POST", f"{A}/projects"): Row("person", {"json": {"task": "ner", "name": "X"}}),
    ("GET", A + P): Row("annotator"),
    ("PATCH", A + P): Row("manager", {"json": {"name": "New"}}),
    ("DELETE", A + P): Row("manager"),
    ("GET", A + P + "/schema"): Row("annotator"),
    ("PUT", A + P + "/schema"): Row("manager", {"json": {"labels": [{"name": "positive"}]}}),
    ("POST", A + P + "/labels/preview"): Row(
        "manager", {"json": {"kind": "retire", "label": "neutral"}}, reads=True
    ),
    ("POST", A + P + "/labels"): Row("manager", {"json": {"kind": "retire", "label": "neutral"}}),
    ("GET", P + "/labels"): Row("manager"),
    ("POST", P + "/labels"): Row("manager", {"data": {"kind": "retire", "label": "neutral"}}),
    ("GET", A + P + "/members"): Row("annotator"),
    ("PUT", A + P + "/members"): Row(
        "manager", {"json": {"email": "eve@example.org", "role": "annotator"}}
    ),
    ("DELETE", A + P + "/members/{user_id}"): Row("manager"),
    ("GET", "/"): Row("person"),
    ("POST", "/demo"): Row("person"),
    ("GET", "/projects/new"): Row("person"),
    ("POST", "/projects/new"): Row("person", {"data": {"task": "ner", "name": "X"}}),
    ("GET", P): Row("annotator"),
    ("GET", P + "/settings"): Row("manager"),
    ("POST", P + "/settings"): Row("manager", {"data": {"name": "New"}}),
    ("POST", P + "/members"): Row(
        "manager", {"data": {"email": "eve@example.org", "role": "annotator"}}
    ),
    ("POST", P + "/members/{user_id}/remove"): Row("manager"),
    ("POST", P + "/frames"): Row("manager", FRAMES),
    ("GET", P + "/frames"): Row("manager", {"headers": {"HX-Request": "true"}}),
    ("POST", P + "/frames/cancel"): Row("manager"),
    ("POST", P + "/frames/clear"): Row("manager"),
    ("POST", P + "/delete"): Row("manager", {"data": {"confirm": "Reviews"}}),
    # -- labelling
    ("GET", A + P + "/examples"): Row("annotator"),
    ("GET", A + P + "/examples/{example_id}"): Row("annotator"),
    ("GET", A + P + "/queue"): Row("annotator"),
    ("POST", A + P + "/queue/next"): Row("annotator"),
    ("POST", A + P + "/queue/restore"): Row("annotator", {"json": {"whose": "mine"}}),
    ("POST", A + P + "/examples/{example_id}/annotations"): Row(
        "annotator",
        {"json": {"payload": {"labels": ["positive"]}, "base": 0, "client_key": "0123456789"}},
        {"example_id": "open_id"},
    ),
    ("POST", A + P + "/examples/{example_id}/lease"): Row("annotator"),
    ("POST", A + P + "/examples/{example_id}/release"): Row("annotator"),
    ("POST", A + P + "/examples/{example_id}/seen"): Row("annotator"),
    ("GET", A + P + "/mine"): Row("annotator"),
    ("GET", A + P + "/rolesets"): Row("annotator", {"params": {"lemma": "give"}}),
    ("POST", A + P + "/rolesets"): Row("manager", FRAMES),
    ("DELETE", A + P + "/rolesets"): Row("manager"),
    ("GET", A + P + "/rolesets/files/{file_id}"): Row("manager"),
    ("GET", P + "/label"): Row("annotator"),
    ("GET", P + "/examples"): Row("annotator"),
    # -- imports
    ("GET", A + P + "/imports"): Row("annotator"),
    ("POST", A + P + "/imports"): Row("manager", FILE),
    ("POST", A + P + "/examples"): Row("manager", {"json": {"items": [{"text": "Hello."}]}}),
    ("GET", A + P + "/imports/{import_id}"): Row("annotator"),
    ("POST", A + P + "/imports/{import_id}/preview"): Row("manager", {"json": {}}, UPLOAD),
    ("POST", A + P + "/imports/{import_id}/start"): Row("manager", {"json": {}}, UPLOAD),
    ("POST", A + P + "/imports/{import_id}/undo"): Row("manager"),
    ("POST", A + P + "/imports/{import_id}/again"): Row("manager"),
    ("POST", A + P + "/imports/{import_id}/cancel"): Row("manager"),
    ("GET", P + "/import"): Row("manager"),
    ("POST", P + "/import"): Row("manager", FILE),
    ("GET", P + "/imports/{import_id}"): Row("annotator"),
    ("POST", P + "/imports/{import_id}/preview"): Row("manager", ids=UPLOAD),
    ("POST", P + "/imports/{import_id}/start"): Row("manager", ids=UPLOAD),
    ("POST", P + "/imports/{import_id}/undo"): Row("manager"),
    ("POST", P + "/imports/{import_id}/undo/cancel"): Row("manager"),
    ("POST", P + "/imports/{import_id}/again"): Row("manager"),
    ("POST", P + "/imports/{import_id}/cancel"): Row("manager"),
    # -- versions
    ("GET", A + P + "/versions"): Row("annotator"),
    ("POST", A + P + "/versions"): Row("manager"),
    ("POST", A + V + "/retry"): Row("manager"),
    ("POST", V + "/retry"): Row("manager"),
    ("POST", V + "/cancel"): Row("manager"),
    ("GET", A + V): Row("annotator"),
    ("GET", A + V + "/manifest"): Row("annotator"),
    ("GET", A + V + "/export"): Row("annotator", {"params": {"format": "csv"}}),
    ("GET", A + V + "/export/notes"): Row("annotator", {"params": {"format": "csv"}}),
    ("GET", A + P + "/annotations"): Row("manager"),
    ("GET", A + V + "/annotations"): Row("manager"),
    ("GET", P + "/versions/all/annotations"): Row("manager"),
    ("GET", V + "/annotations"): Row("manager"),
    ("GET", A + V + "/exports"): Row("annotator", {"params": {"format": "csv"}}),
    ("POST", A + V + "/exports"): Row("annotator", {"json": {"format": "csv"}}),
    ("GET", A + V + "/diff"): Row("annotator", {"params": {"base": 1}}),
    ("GET", V + "/diff"): Row("annotator"),
    ("GET", A + V + "/near-duplicates"): Row("annotator"),
    ("POST", A + V + "/near-duplicates"): Row("manager"),
    ("GET", V + "/near-duplicates"): Row("annotator"),
    ("POST", V + "/near-duplicates"): Row("manager"),
    ("POST", P + "/versions/moves"): Row(
        "annotator", {"data": {"train": 80, "validation": 10, "test": 10}}
    ),
    ("GET", P + "/versions"): Row("annotator"),
    ("POST", P + "/versions"): Row(
        "manager", {"data": {"train": "80", "validation": "10", "test": "10"}}
    ),
    ("GET", V): Row("annotator"),
    ("GET", V + "/manifest"): Row("annotator"),
    ("GET", V + "/download/{format_name}"): Row("annotator"),
    ("POST", V + "/download/{format_name}"): Row("annotator"),
    ("POST", V + "/download/{format_name}/cancel"): Row("manager"),
    ("GET", V + "/export/{format_name}"): Row("annotator"),
    # -- runs
    ("GET", f"{A}/runs"): Row("person"),
    ("GET", A + P + "/runs"): Row("annotator"),
    ("GET", A + P + "/leaderboard"): Row("annotator"),
    ("GET", A + P + "/leaderboard.csv"): Row("annotator"),
    ("POST", A + P + "/runs"): Row("manager", {"json": {"version": 1}}),
    ("POST", A + P + "/pretrain"): Row("manager", {"json": {"params": {"base": "scratch"}}}),
    ("POST", A + P + "/crossvalidations"): Row("manager", {"json": {"version": 1}}),
    ("GET", A + R): Row("annotator"),
    ("PATCH", A + R): Row("manager", {"json": {"note": "x"}}),
    ("POST", A + R + "/resume"): Row("manager"),
    ("DELETE", A + R): Row("manager"),
    ("GET", A + R + "/points"): Row("annotator"),
    ("GET", A + R + "/figures.{form}"): Row("annotator", **CSV),
    ("GET", A + R + "/log"): Row("annotator"),
    ("POST", A + R + "/cancel"): Row("manager"),
    ("GET", A + R + "/model.zip"): Row("annotator"),
    ("POST", A + R + "/predict"): Row("annotator", {"json": {"texts": ["Hello."]}}, reads=True),
    ("GET", A + R + "/errors"): Row("annotator"),
    ("GET", A + R + "/predictions.jsonl"): Row("annotator"),
    ("GET", A + P + "/compare"): Row("annotator", {"params": {"run": ["$run_id", "$other_run_id"]}}),
    ("GET", A + P + "/curves"): Row("annotator", {"params": {"run": ["$run_id", "$other_run_id"]}}),
    ("GET", A + P + "/label-issues"): Row("reviewer"),
    ("POST", A + P + "/label-issues/{issue_id}/dismiss"): Row("reviewer"),
    ("POST", A + P + "/label-issues/{issue_id}/reopen"): Row("reviewer"),
    ("POST", A + R + "/evaluate"): Row("manager", {"json": {"version": 1}}),
    ("POST", A + R + "/evaluate/file"): Row(
        "manager", {"files": {"file": ("dev.tsv", b"sentence\tlabel\nx\t1\n")}, "data": {"glue": "sst2"}}
    ),
    ("GET", A + R + "/model/card"): Row("annotator"),
    ("POST", A + R + "/push"): Row("manager", {"json": {"repo_id": "ada/x", "token": "hf_x"}}),
    ("GET", A + "/jobs/{job_id}"): Row("annotator"),
    ("POST", A + "/jobs/{job_id}/cancel"): Row("manager"),
    ("GET", V + "/train"): Row("annotator"),
    ("POST", V + "/train"): Row("manager"),
    ("GET", P + "/pretrain"): Row("annotator"),
    ("POST", P + "/pretrain"): Row("manager"),
    ("GET", "/runs"): Row("person"),
    ("GET", P + "/runs"): Row("annotator"),
    ("GET", "/runs/events"): Row("person"),
    ("GET", P + "/runs/events"): Row("annotator"),
    ("GET", P + "/leaderboard"): Row("annotator"),
    ("GET", P + "/leaderboard.{form}"): Row("annotator", **CSV),
    ("GET", R): Row("annotator"),
    ("GET", R + "/events"): Row("annotator"),
    ("POST", R + "/describe"): Row("manager", {"data": {"name": "x"}}),
    ("POST", R + "/archive"): Row("manager", {"data": {"archived": "1"}}),
    ("POST", R + "/resume"): Row("manager"),
    ("POST", R + "/cancel"): Row("manager"),
    ("POST", R + "/delete"): Row("manager"),
    ("GET", R + "/model.zip"): Row("annotator"),
    ("POST", R + "/try"): Row("annotator", {"data": {"text": "Hello."}}, reads=True),
    ("GET", R + "/log.txt"): Row("annotator"),
    ("GET", R + "/figures.{form}"): Row("annotator", **CSV),
    ("GET", R + "/errors"): Row("annotator"),
    ("GET", P + "/label-issues"): Row("reviewer"),
    ("POST", P + "/label-issues/{issue_id}/dismiss"): Row("reviewer"),
    ("POST", P + "/label-issues/{issue_id}/reopen"): Row("reviewer"),
    ("GET", R + "/evaluate"): Row("annotator"),
    ("POST", R + "/evaluate"): Row("manager", {"data": {"version": "$project_id/1"}}),
    ("POST", R + "/evaluate/file"): Row("manager", FILE),
    ("GET", R + "/model"): Row("annotator"),
    ("POST", R + "/push"): Row("manager", {"data": {"repo_id": "ada/x", "token": "hf_x"}}),
    ("GET", P + "/compare"): Row("annotator", {"params": {"run": ["$run_id", "$other_run_id"]}}),
    # -- searches
    ("GET", A + P + "/searches"): Row("annotator"),
    ("POST", A + P + "/searches"): Row(
        "manager", {"json": {"version": 1, "space": {"epochs": [1, 2]}}}
    ),
    ("GET", A + "/searches/{search_id}"): Row("annotator"),
    ("POST", A + "/searches/{search_id}/cancel"): Row("manager"),
    ("DELETE", A + "/searches/{search_id}"): Row("manager"),
    ("GET", V + "/search"): Row("annotator"),
    ("POST", V + "/search"): Row("manager", {"data": {"base": "packaged"}}),
    ("POST", V + "/search/count"): Row("manager", {"data": {"base": "packaged"}}, reads=True),
    ("GET", "/searches/{search_id}"): Row("annotator"),
    ("POST", "/searches/{search_id}/cancel"): Row("manager"),
    ("POST", "/searches/{search_id}/delete"): Row("manager"),
}  # fmt: skip
