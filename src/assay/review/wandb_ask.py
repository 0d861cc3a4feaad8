"""What is asked of a W&B host, by HTTP: whether it knows a key, and how much of a run it holds."""

from __future__ import annotations

import base64
import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from assay.review.wandb_host import ANSWER_SECONDS, base_url, host, key


def problem(secret: str | None) -> str | None:
    """Asks the host who the key belongs to. Without a key (an identity token, which wandb exchanges itself) any answer
    will do."""
    try:
        known = _query("query Viewer { viewer { id } }", "Viewer", {}, secret)["viewer"] is not None
    except urllib.error.HTTPError as error:
        if secret is None and error.code < 500:
            return None
        says = "refused the key with" if error.code in (401, 403) else "answered"
        return f"{host()} {says} {error.code}"
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return f"{host()} cannot be reached"
    return None if known or secret is None else f"{host()} does not know the key"


def last_step(project: str, entity: str | None, run_id: str) -> int | None:
    """The ``_step`` of the last line of history that the host holds of a run, -1 where it holds none.

    This asks what wandb itself asks when it resumes a run. None where the host did not say.
    """
    query = """query RunResumeStatus($project: String, $entity: String, $name: String!) {
      model(name: $project, entityName: $entity) { bucket(name: $name, missingOk: true) { historyTail } } }"""
    variables = {"project": project, "entity": entity, "name": run_id}
    try:
        bucket = _query(query, "RunResumeStatus", variables, key())["model"]["bucket"]
        lines = json.loads(bucket["historyTail"] or "[]")
        return max((int(json.loads(line)["_step"]) for line in lines), default=-1)
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return None


def _query(query: str, name: str, variables: Mapping[str, Any], secret: str | None) -> dict[str, Any]:
    headers = {"Content-Type": "application/json", "User-Agent": "assay"}
    if secret is not None:
        headers["Authorization"] = "Basic " + base64.b64encode(f"api:{secret}".encode()).decode()
    body = json.dumps({"query": query, "operationName": name, "variables": dict(variables)}).encode()
    request = urllib.request.Request(f"{base_url()}/graphql", data=body, headers=headers)
    try:
        with urllib.request.build_opener(_Stay).open(request, timeout=ANSWER_SECONDS) as response:
            return json.loads(response.read())["data"]
    except urllib.error.HTTPError as error:
        error.close()
        raise


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: urllib would hand the key on to whatever host is named."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> None:
        return None
