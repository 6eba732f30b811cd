"""For what the installation's own hub token may be used: only what an administrator has named."""

from collections.abc import Sequence

from app.settings import Settings
from app.training import RUN_KINDS, ModelParams, PushParams


def may_push(settings: Settings, repo_id: str) -> bool:
    """Whether anybody's model may go to this repository with the installation's token."""
    return _names(settings.hub_push, repo_id)


def may_read(settings: Settings, repo_id: str) -> bool:
    """Whether anybody's training may read this repository with the installation's token."""
    return _names(settings.hub_read, repo_id)


def is_online(kind: str, params: ModelParams) -> bool:
    """Whether such a run has anything to do with the hub."""
    return params.base == "hub" or RUN_KINDS[kind].online


def token_for(settings: Settings, params: ModelParams, *, typed: str | None) -> str | None:
    """The token that a run is carried out with: the typed one, or the installation's if it may be used for this.

    A push with a token of its own whose token was lost is carried out with none.
    """
    if typed or not settings.hub_token:
        return typed
    if isinstance(params, PushParams):
        allowed = not params.own_token and may_push(settings, params.repo_id)
    else:
        allowed = params.base == "hub" and may_read(settings, params.base_ref or "")
    return settings.hub_token.get_secret_value() if allowed else None


def _names(entries: Sequence[str], repo_id: str) -> bool:
    """Whether one of these, an owner or owner/name, is this repository's. What has no owner is nobody's."""
    owner, slash, _name = repo_id.strip().casefold().partition("/")
    named = {entry.strip().casefold() for entry in entries}
    return bool(slash) and not named.isdisjoint({owner, repo_id.strip().casefold()})
