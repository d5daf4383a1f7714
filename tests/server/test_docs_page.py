"""The page at /docs: complete in itself, allowed to do only what it does."""

import base64
import hashlib
import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path

from http_node import Node, play
from javascript import NODE

from server.docs_page import content_security_policy


def read_page(tmp_path: Path) -> tuple[str, str]:
    """The page and its Content-Security-Policy, as served."""
    served: list[tuple[str, str]] = []

    async def scenario(node: Node) -> None:
        answer = await node.client(None).get("/docs")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["x-request-id"]
        served.append((answer.text, answer.headers["content-security-policy"]))

    play(tmp_path, scenario)
    return served[0]


class Elements(HTMLParser):
    """All elements of a page with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_it_asks_no_other_host(tmp_path: Path) -> None:
    page, _ = read_page(tmp_path)
    assert re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}", page, re.IGNORECASE) == []
    loading = {"src", "href", "srcset", "data", "poster"}
    assert [(tag, attributes) for tag, attributes in Elements(page).found if loading & attributes.keys()] == []
    assert "@import" not in page
    assert "url(" not in page


def test_its_policy_allows_its_own_script_and_style_only(tmp_path: Path) -> None:
    page, policy = read_page(tmp_path)
    [script] = re.findall("<script>(.*?)</script>", page, re.DOTALL)
    [style] = re.findall("<style>(.*?)</style>", page, re.DOTALL)
    for content in (script, style):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "connect-src 'self'" in policy


def test_nothing_in_it_needs_what_the_policy_forbids(tmp_path: Path) -> None:
    """Inline handlers and style attributes have no hash; markup made out of strings could be somebody else's."""
    page, _ = read_page(tmp_path)
    attributes = [name for _, given in Elements(page).found for name in given]
    assert [name for name in attributes if name.startswith("on") or name == "style"] == []
    for forbidden in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
        assert forbidden not in page


def test_every_input_has_a_name_for_those_who_do_not_see_it(tmp_path: Path) -> None:
    page, _ = read_page(tmp_path)
    inputs = [attributes for tag, attributes in Elements(page).found if tag == "input"]
    assert inputs
    assert all(attributes.get("aria-label") for attributes in inputs)


def test_a_changed_script_has_another_policy() -> None:
    one = content_security_policy("<script>a</script><style>b</style>")
    other = content_security_policy("<script>c</script><style>b</style>")
    assert one != other


def test_its_script_is_a_script(tmp_path: Path) -> None:
    page, _ = read_page(tmp_path)
    script = tmp_path / "page.js"
    script.write_text(re.findall("<script>(.*?)</script>", page, re.DOTALL)[0], encoding="utf-8")
    subprocess.run([NODE, "--check", str(script)], check=True)
