"""What the settings make of addresses outside."""

from __future__ import annotations

import pytest

from handlers.outgoing import NotAllowed
from server.outgoing import mail_server, open_outgoing
from server.settings import Settings


def test_nobody_is_reached_unless_named() -> None:
    outgoing = open_outgoing(Settings())
    with pytest.raises(NotAllowed):
        outgoing.http.policy.check_url("https://10.1.2.3/")
    assert outgoing.mail.server is None
    assert outgoing.language_model is None


def test_a_language_model_is_one_that_is_named() -> None:
    settings = Settings(
        language_model_url="https://models.example/v1", language_model_model="tiny", language_model_key="k"
    )
    model = open_outgoing(settings).language_model
    assert model is not None
    assert (model.url, model.model, model.key) == ("https://models.example/v1", "tiny", "k")


def test_hosts_and_networks_that_are_named() -> None:
    policy = open_outgoing(Settings(outgoing_hosts=("10.0.0.0/8", "hooks.internal"))).http.policy
    policy.check_url("http://10.1.2.3:8080/x")
    policy.check_url("http://Hooks.Internal/x")
    with pytest.raises(NotAllowed):
        policy.check_url("http://11.1.2.3/")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail.example", ("mail.example", 587, None, None, "starttls")),
        ("smtps://mail.example", ("mail.example", 465, None, None, "tls")),
        ("smtp://a%40b:p%2Fw@mail.example:25?starttls=no", ("mail.example", 25, "a@b", "p/w", "none")),
    ],
)
def test_mail_servers(url: str, expected: tuple[object, ...]) -> None:
    server = mail_server(Settings(smtp_url=url, mail_from="studio@shop.example"))
    assert server is not None
    assert (server.host, server.port, server.user, server.password, server.encryption) == expected
    assert server.sender == "studio@shop.example"
