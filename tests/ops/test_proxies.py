"""The operator's guide's examples of reverse proxies, run as they stand there, before two real web processes."""

import re
import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from app.db import session_scope
from app.group.programs import Program
from app.http.identity import COOKIE
from app.models import ApiToken
from app.services import jobs, runs
from app.training import FineTuneParams
from tests.conftest import ROOT, Services, forget_everything, wait_for
from tests.factories import (
    PASSWORD,
    actor,
    fill,
    freeze,
    labelled_rows,
    make_project,
    make_token,
    make_user,
    open_rows,
)
from tests.ops.test_up import free_port

CLIENT = "127.0.0.2"
"""Where people sit: another address than the proxy's own, which is trusted."""


def example(name: str) -> str:
    """A configuration out of the operator's guide."""
    guide = (ROOT / "docs" / "operating.md").read_text()
    return re.findall(rf"<!-- example: {name} -->\n```\w+\n(.*?)```", guide, re.S)[0]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    made, key = folder / "fullchain.pem", folder / "privkey.pem"
    words = [
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    words += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(made)]
    subprocess.run([openssl, *words], check=True, capture_output=True)
    return made, key


def _fit(config: str, changes: dict[str, str]) -> str:
    """The example with this machine's ports and files; each thing to change must be in it."""
    for old, new in changes.items():
        assert old in config, f"the example has no “{old}”"
        config = config.replace(old, new)
    return config


def _nginx(folder: Path, ports: list[int], certificate: tuple[Path, Path]) -> list[str]:
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        pytest.skip("no nginx")
    site = _fit(
        example("nginx"),
        {
            "127.0.0.1:8000": f"127.0.0.1:{ports[0]}",
            "127.0.0.1:8001": f"127.0.0.1:{ports[1]}",
            "listen 80;": f"listen {ports[3]};",
            "listen [::]:80;": "",
            "listen 443 ": f"listen {ports[2]} ",
            "listen [::]:443 ssl http2;": "",
            "annotune.example.org": "localhost",
            "/etc/ssl/annotune/fullchain.pem": str(certificate[0]),
            "/etc/ssl/annotune/privkey.pem": str(certificate[1]),
        },
    )
    paths = "".join(
        f"{name}_temp_path {folder}/{name};"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log stderr;\nevents {{}}\n"
        f"http {{ access_log off; {paths}\n{site} }}\n"
    )
    return [program, "-c", str(folder / "nginx.conf"), "-p", str(folder), "-e", "stderr"]


def _caddy(folder: Path, ports: list[int], certificate: tuple[Path, Path]) -> list[str]:
    program = shutil.which("caddy")
    if program is None:
        pytest.skip("no Caddy")
    tls = f"tls {certificate[0]} {certificate[1]}"
    site = _fit(
        example("caddy"),
        {
            "127.0.0.1:8000": f"127.0.0.1:{ports[0]}",
            "127.0.0.1:8001": f"127.0.0.1:{ports[1]}",
            "annotune.example.org {": f"https://localhost:{ports[2]} {{\n    {tls}",
        },
    )
    options = f"admin off\n    auto_https disable_redirects\n    storage file_system {folder}"
    (folder / "Caddyfile").write_text(f"{{\n    {options}\n}}\n{site}")
    return [program, "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


PROXIES: dict[str, Callable[[Path, list[int], tuple[Path, Path]], list[str]]] = {
    "nginx": _nginx,
    "caddy": _caddy,
}


@pytest.fixture(params=PROXIES)
def site(
    request: pytest.FixtureRequest,
    empty_postgresql: str,
    services: Services,
    certificate: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """The address of a proxy before two web processes on one PostgreSQL."""
    ports = [free_port() for _ in range(4)]
    command = PROXIES[request.param](tmp_path, ports, certificate)
    address = f"https://localhost:{ports[2]}"
    monkeypatch.setenv("ANNOTUNE_PUBLIC_URL", address)
    monkeypatch.setenv("ANNOTUNE_TRUSTED_PROXIES", "127.0.0.1")
    forget_everything()
    for number in (0, 1):
        words = [sys.executable, "-P", "-m", "app.cli", "web", "--port", str(ports[number])]
        services.group.start(Program(f"web-{number}", words, stop_seconds=5))
    proxy = Program("proxy", command, stop_seconds=5)
    services.group.start(proxy)
    for number in (0, 1):
        wait_for(
            lambda number=number: _answers(f"http://127.0.0.1:{ports[number]}"),
            within=60,
            message=f"web-{number} does not answer",
        )
    wait_for(lambda: _answers(address), message="the proxy does not answer")
    if request.param == "nginx":
        moved = httpx.get(f"http://127.0.0.1:{ports[3]}/login", headers={"Host": "localhost"})
        assert moved.headers["location"] == "https://localhost/login"
    return address


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/login", verify=False, timeout=10).status_code == 200  # noqa: S501
    except httpx.TransportError:
        return False


def _person(address: str, certificate: tuple[Path, Path]) -> httpx.Client:
    trust = ssl.create_default_context(cafile=str(certificate[0]))
    transport = httpx.HTTPTransport(verify=trust, local_address=CLIENT)
    return httpx.Client(base_url=address, transport=transport, timeout=60)


def test_a_team_behind_a_proxy_with_two_web_processes(
    site: str, services: Services, certificate: tuple[Path, Path]
) -> None:
    ada = make_user("Ada", admin=True)
    project = make_project(ada)
    fill(project, ada, [*labelled_rows(), *open_rows(8)])
    freeze(project, ada)
    with session_scope() as session:
        run = runs.create(
            session, actor(ada), project.id, version_number=1, params=FineTuneParams()
        )
    claim = jobs.claim(run.job_id, "a worker")
    assert claim

    with _person(site, certificate) as client:
        form = {"email": ada.email, "password": PASSWORD}
        forged = client.post("/login", data=form, headers={"Origin": "https://evil.example"})
        assert forged.status_code == 403
        answer = client.post("/login", data=form, headers={"Origin": site})
        assert answer.status_code == 303, answer.text
        assert f"__Host-{COOKIE}" in answer.headers["set-cookie"]
        assert answer.headers.get_list("strict-transport-security") == ["max-age=31536000"]

        # Logged in on one, labelling on the other, and so on in turns.
        page = client.get("/").text
        token = re.findall(r'name="csrf-token" content="(\w+)"', page)[0]
        headers = {"X-CSRF-Token": token, "Origin": site}
        base = f"/api/v1/projects/{project.id}"
        for n in range(4):
            example = client.post(f"{base}/queue/next", headers=headers).json()
            saving = {
                "payload": {"labels": ["positive"]},
                "base": example["base"],
                "client_key": f"a-key-of-its-own-{n}",
            }
            path = f"{base}/examples/{example['id']}/annotations"
            saved = client.post(path, json=saving, headers=headers)
            assert saved.status_code == 201, saved.text
        for number in (0, 1):
            log = (services.settings.data_dir / "logs" / f"web-{number}.log").read_text()
            assert "path=/api/v1/projects" in log, f"web-{number} has done nothing"

        # Events come through while the stream is open.
        with client.stream("GET", f"/runs/{run.id}/events") as stream:
            lines = (line for line in stream.iter_lines() if line.startswith("event: "))
            assert [next(lines), next(lines)] == ["event: open", "event: change"]
            for step in (1, 2):
                point = {"type": "step", "step": step, "loss": 0.5}
                runs.record(claim, points=[point], progress={"phase": "training", "done": step})
                assert next(lines) == "event: change"

        # Whoever makes up a forwarding header is known by their own address all the same.
        made_up = {"X-Forwarded-For": "192.0.2.1", "Authorization": f"Bearer {make_token(ada)}"}
        assert client.get("/api/v1/me", headers=made_up).status_code == 200

        def used_from() -> str | None:
            with session_scope(read_only=True) as session:
                return (
                    session.query(ApiToken.used_from).filter(ApiToken.used_at.is_not(None)).scalar()
                )

        wait_for(used_from, message="the use of the token is not noted")
        assert used_from() == CLIENT

        # A body as large as an upload may be goes through, and one that is larger is refused in words.
        upload = {"file": ("a.csv", b"text\n" + b"x" * 2_000_000 + b"\n")}
        answer = client.post(f"{base}/imports", files=upload, headers=headers)
        assert answer.status_code < 500
        assert answer.status_code != 413
