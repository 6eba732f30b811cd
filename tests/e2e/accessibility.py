"""What every page has to be: right for a screen reader, and no wider than the screen."""

from pathlib import Path

from playwright.sync_api import Page

_AXE = Path(__file__).parent / "vendor" / "axe-core-4.14.1" / "axe.min.js"
_STANDARD = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def problems(page: Page) -> list[str]:
    """What axe finds, and by how many pixels the page is too wide; empty where all is well."""
    page.evaluate(_AXE.read_text())
    found = page.evaluate(
        "(tags) => axe.run(document, { runOnly: { type: 'tag', values: tags } })", _STANDARD
    )
    lines = [
        f"{violation['id']}: {' '.join(node['html'].split())[:150]} {node['failureSummary'][:300]}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]
    width = page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
    return lines + ([f"{width} px too wide"] if width > 0 else [])
