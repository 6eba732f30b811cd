"""A real browser against a real server: `annotune up` with its worker and embedded broker."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

ROOT = Path(__file__).parents[2]
# What an unprivileged container and a machine without internet need.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]


def find_chromium() -> str | None:
    """The system's Chromium or Chrome."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next(filter(None, map(shutil.which, names)), None)


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    executable = find_chromium()
    if executable is None and not Path(playwright.chromium.executable_path).exists():
        pytest.skip("no Chromium on this machine")
    with playwright.chromium.launch(executable_path=executable, args=ARGUMENTS) as launched:
        yield launched


@dataclass(frozen=True)
class Server:
    """A running `annotune up`."""

    url: str
    setup_url: str
    data_dir: Path
    process: "subprocess.Popen[str]"


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Everything, started as a new user would start it; the tests of a module share it."""
    data_dir = tmp_path_factory.mktemp("annotune")
    port = free_port()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ANNOTUNE_")}
    environment |= {
        "ANNOTUNE_DATA_DIR": str(data_dir),
        "ANNOTUNE_PORT": str(port),
        "PYTHONUNBUFFERED": "1",
        "HF_HUB_OFFLINE": "1",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "up"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    lines = _until_ready(process)
    setup = re.search(r"http://\S+/setup\?token=\S+", lines)
    assert setup, f"no set-up link in:\n{lines}"
    yield Server(f"http://127.0.0.1:{port}", setup[0], data_dir, process)
    process.send_signal(signal.SIGINT)
    try:
        process.wait(30)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def _until_ready(process: "subprocess.Popen[str]") -> str:
    """What it prints until it says where to go."""
    assert process.stdout is not None
    lines, deadline = "", time.monotonic() + 60
    while "/setup?token=" not in lines:
        assert time.monotonic() < deadline, f"not ready after a minute:\n{lines}"
        line = process.stdout.readline()
        assert line or process.poll() is None, f"it ended:\n{lines}"
        lines += line
    return lines


PASSWORD = "correct horse battery"


def log_in(client: httpx.Client) -> None:
    """Log in as Ada; what the client asks from now on carries her CSRF token."""
    client.post("/login", data={"email": "ada@example.org", "password": PASSWORD, "next": "/"})
    page = client.get("/").text
    token = re.search(r'name="csrf-token" content="(\w+)"', page)
    assert token, page[:500]
    client.headers["X-CSRF-Token"] = token[1]


def wait_for(condition: Callable[[], object], what: str, seconds: float = 30) -> None:
    """Until it is so; fails with the words where it does not come to be."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[httpx.Client]:
    """Ada, the administrator, without a browser; her account is made by the set-up link."""
    form = {"email": "ada@example.org", "name": "Ada", "password": PASSWORD}
    form["token"] = server.setup_url.partition("token=")[2]
    with httpx.Client(base_url=server.url) as made:
        made.post("/setup", data=form)
        log_in(made)
        yield made


def sign_in(context: BrowserContext, client: httpx.Client, server: Server) -> None:
    """Let a browser context be that person."""
    context.add_cookies(
        [
            {"name": cookie.name, "value": cookie.value or "", "url": server.url}
            for cookie in client.cookies.jar
        ]
    )


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context(viewport={"width": 1280, "height": 860}, locale="en") as made:
        yield made


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page that fails the test on any script error."""
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on(
        "console",
        lambda message: (
            errors.append(message.text)
            if message.type == "error" and "Content Security Policy" in message.text
            else None
        ),
    )
    yield opened
    assert not errors, f"the browser said: {errors}"
