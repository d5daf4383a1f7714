"""What the settings say of sign-ins by OpenID Connect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from handlers.access import Role
from server.settings import Settings


class RoleGrant(NamedTuple):
    """Members of the provider's group have at least this role in the workspace."""

    group: str
    workspace_id: str
    role: Role


@dataclass(frozen=True, slots=True)
class OpenIdOptions:
    """The provider, who may come in, and as what.

    `public_url` is where people find this server, without a slash at its end; `secret` is None for a public client.
    None in place of a set lets everybody in.
    """

    issuer: str
    client_id: str
    secret: str | None
    public_url: str
    scopes: str
    groups_claim: str
    domains: frozenset[str] | None
    groups: frozenset[str] | None
    admin_groups: frozenset[str]
    roles: tuple[RoleGrant, ...]
    token_lifetime: float
    outgoing_hosts: tuple[str, ...] = ()

    @property
    def redirect_uri(self) -> str:
        """Where the provider sends people back to; it is to be registered there."""
        return f"{self.public_url}/auth/callback"


def openid_options(settings: Settings) -> OpenIdOptions | None:
    """What the settings want, None where nobody signs in so. The settings have been found to hold."""
    if settings.oidc_issuer is None or settings.oidc_client_id is None or settings.public_url is None:
        return None
    return OpenIdOptions(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        secret=settings.oidc_client_secret,
        public_url=settings.public_url,
        scopes=settings.oidc_scopes,
        groups_claim=settings.oidc_groups_claim,
        domains=_asked_of(settings.oidc_allowed_domains),
        groups=_asked_of(settings.oidc_allowed_groups),
        admin_groups=frozenset(settings.oidc_admin_groups),
        roles=tuple(RoleGrant(group, workspace, Role(role)) for group, workspace, role in settings.oidc_roles),
        token_lifetime=settings.token_lifetime,
        outgoing_hosts=settings.outgoing_hosts,
    )


def _asked_of(values: tuple[str, ...]) -> frozenset[str] | None:
    return frozenset(values) if values and values != ("*",) else None
