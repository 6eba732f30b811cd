"""Every setting, documented once. Each is read from the environment (prefix ANNOTUNE_) or a `.env` file."""

import hashlib
import json
import os
import re
import tempfile
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.wrong_settings import WrongSettings, explain

_SOCKET_PATH_BYTES = 100  # the system's sun_path ends at 108 (Linux) or 104 (macOS)
_DATABASES = ("postgresql", "postgresql+psycopg", "sqlite", "sqlite+pysqlite")
_READ_ONLY = ("http", "https", "data")
_BROKERS = ("redis", "rediss", "redis+socket", "unix")

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(?:/[A-Za-z0-9][\w.-]*)?")


class Settings(BaseSettings):
    """How this installation runs. The defaults suit one person on a laptop."""

    model_config = SettingsConfigDict(
        env_prefix="ANNOTUNE_",
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        allow_inf_nan=False,
    )

    data_dir: Path = Field(Path("data"), description="Folder for the database, files and runs.")
    database_url: str | None = Field(
        None,
        description="`postgresql+psycopg://user:password@host/name`; empty: SQLite in the data folder.",
    )
    redis_url: str | None = Field(
        None,
        description="`redis://host:6379/0`; empty: an embedded Valkey server that `annotune up` runs.",
    )
    storage_url: str | None = Field(
        None,
        description="fsspec URL for versions, uploads and models; empty: `files/` in the data folder.",
    )
    host: str = Field("127.0.0.1", description="Address the web server listens on.")
    port: int = Field(8000, ge=1, le=65535, description="Port the web server listens on.")
    public_url: str | None = Field(
        None,
        description="The address that people open, such as `https://annotune.example.org`: for links, and to "
        "tell own pages from another site's. With `https` cookies are secure, and browsers stay with HTTPS.",
    )
    trusted_proxies: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description="Addresses or networks of reverse proxies, separated by commas, whose `X-Forwarded-For` and "
        "`X-Forwarded-Proto` are believed: `127.0.0.1, 172.16.0.0/12`.",
    )
    secure_cookies: bool = Field(
        False, description="Secure cookies without a `public_url`. Rather set that."
    )
    session_days: int = Field(
        30, ge=1, le=3650, description="Days without a visit after which a session ends."
    )
    lease_minutes: int = Field(
        30,
        ge=1,
        le=10_080,
        description="How long an example stays reserved for the annotator who has it open.",
    )
    lock_seconds: float = Field(
        10,
        gt=0,
        le=3600,
        description="Seconds that anything waits for the database's locks and connections before it gives up.",
    )
    statement_seconds: float = Field(
        60,
        gt=0,
        le=86_400,
        description="Seconds after which PostgreSQL ends a statement, or a transaction that has gone idle.",
    )
    max_upload_mb: int = Field(
        512, ge=1, le=1 << 20, description="Largest file that may be imported, in MiB."
    )
    max_import_rows: int = Field(
        5_000_000,
        ge=1,
        le=1_000_000_000,
        description="Most rows that a file may hold that is imported.",
    )
    max_connections: int = Field(
        1000,
        ge=10,
        le=100_000,
        description="Connections that one web process holds open; more are refused.",
    )
    job_lease_seconds: float = Field(
        30,
        gt=0,
        le=86_400,
        description="A job whose worker has been silent this long is taken up again.",
    )
    job_attempts: int = Field(
        3, ge=1, le=100, description="Times a job is started before it is given up."
    )
    job_republish_seconds: float = Field(
        60, gt=0, le=86_400, description="A job that waits this long has its message sent again."
    )
    checkpoint_keep_hours: float = Field(
        24,
        ge=0,
        le=87_600,
        description="How long a worker keeps the checkpoints of a failed or cancelled run, to resume it.",
    )
    reconcile_seconds: float = Field(
        5, gt=0, le=3600, description="How often each worker looks for jobs that were lost."
    )
    model_dirs: Annotated[list[Path], NoDecode] = Field(
        default_factory=list,
        description="Folders whose sub-folders may be used as base models, separated by commas or as a JSON list.",
    )
    hub_token: SecretStr | None = Field(
        None,
        description="Token of the hub, used only for what the next two settings name; public models need none.",
    )
    hub_read: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description="Whose private models anybody may train on with the token: owners or `owner/name`, "
        "separated by commas or as a JSON list.",
    )
    hub_push: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description="Where anybody may push models with the token: owners or `owner/name`, separated by commas or "
        "as a JSON list.",
    )
    hub_url: str | None = Field(
        None,
        pattern=r"^https?://",
        description="Another hub than Hugging Face's, for base models and pushes.",
    )
    train_threads: int | None = Field(
        None,
        ge=1,
        description="Processor threads a training run uses; empty: one per physical core.",
    )
    train_processes: int | None = Field(
        None,
        ge=1,
        description="Processes that share a training run; empty: one for each GPU that its worker sees.",
    )
    mlflow_url: str | None = Field(
        None,
        pattern=r"^https?://",
        description="Address of an MLflow server that is told of every run: `http://user:password@host:5000`.",
    )
    tensorboard_dir: Path | None = Field(
        None,
        description="Folder for TensorBoard's event files of every run; needs the extra `trackers`.",
    )
    metrics_token: SecretStr | None = Field(
        None,
        description="Bearer token that Prometheus shows to read `/metrics`; empty: nobody may with a token.",
    )
    metrics_loopback: bool = Field(
        False,
        description="Lets this machine read `/metrics` without a token, unless the request came by a proxy.",
    )
    log_json: bool = Field(False, description="Write logs as JSON lines.")

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str | None) -> str | None:
        if value is not None:
            url = urlsplit(value)
            if url.scheme not in _DATABASES:
                raise ValueError("PostgreSQL or SQLite")
            if url.scheme.startswith("postgresql"):
                _ = url.port  # raises ValueError for what is no number
        return value

    @field_validator("redis_url")
    @classmethod
    def _known_broker(cls, value: str | None) -> str | None:
        if value is not None:
            url = urlsplit(value)
            if url.scheme not in _BROKERS or not (url.hostname or url.path):
                raise ValueError("Redis or Valkey")
            _ = url.port  # raises ValueError for what is no number
            number = url.path.removeprefix("/")
            if url.scheme in ("redis", "rediss") and number and not number.isdecimal():
                raise ValueError("the number of a database of Redis")
        return value

    @field_validator("storage_url")
    @classmethod
    def _installed_file_system(cls, value: str | None) -> str | None:
        parts = (value or "").split("::")  # one may be wrapped around the next
        for part in parts:
            protocol, separator, _rest = part.partition("://")
            if separator or len(parts) > 1:
                _check_file_system(protocol)
        return value

    @field_validator("model_dirs", "hub_read", "hub_push", mode="before")
    @classmethod
    def _list(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        if value.lstrip().startswith(("[", "{", '"')):
            return json.loads(value)
        return [part.strip() for part in value.split(",") if part.strip()]

    @field_validator("hub_read", "hub_push")
    @classmethod
    def _on_the_hub(cls, value: list[str]) -> list[str]:
        for name in value:
            if not _HUB_NAME.fullmatch(name):
                raise ValueError(f"owners or owner/name, not {name}")
        return value

    @field_validator("public_url")
    @classmethod
    def _an_origin(cls, value: str | None) -> str | None:
        if value is None:
            return None
        url = urlsplit(value)
        if url.scheme not in ("http", "https") or not url.hostname or url.path not in ("", "/"):
            raise ValueError("give an address without a path, such as https://annotune.example.org")
        if url.query or url.fragment or url.username or url.password:
            raise ValueError("give an address alone, such as https://annotune.example.org")
        _ = url.port  # raises ValueError for what is no number
        # As browsers write it in the header Origin.
        netloc = url.netloc.lower().removesuffix(":443" if url.scheme == "https" else ":80")
        return f"{url.scheme}://{netloc}"

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _networks(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        # Checked here: the middleware would take a mistyped network for a name, and trust nobody.
        return [
            str(ip_network(part.strip(), strict=False)) for part in value.split(",") if part.strip()
        ]

    @property
    def https(self) -> bool:
        """Whether people reach Annotune by HTTPS alone."""
        return self.secure_cookies or (self.public_url or "").startswith("https://")

    @property
    def trackers(self) -> list[str]:
        """Who is told of runs, beside the dashboard."""
        chosen = {"mlflow": self.mlflow_url, "tensorboard": self.tensorboard_dir}
        return [name for name, value in chosen.items() if value]

    @property
    def database(self) -> str:
        """The SQLAlchemy URL in use."""
        if self.database_url:
            return self.database_url.replace("postgresql://", "postgresql+psycopg://", 1)
        return f"sqlite:///{(self.data_dir / 'annotune.sqlite3').resolve()}"

    @property
    def broker_socket(self) -> Path:
        """The unix socket of the embedded broker, in a folder of its own that only this user may enter."""
        socket = (self.data_dir / "broker" / "valkey.sock").resolve()
        if len(os.fsencode(socket)) <= _SOCKET_PATH_BYTES:
            return socket
        digest = hashlib.sha256(os.fsencode(socket)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"annotune-{os.getuid()}-{digest}" / "valkey.sock"

    @property
    def broker(self) -> str:
        """The Celery broker URL in use."""
        return self.redis_url or f"redis+socket://{self.broker_socket}"

    @property
    def storage(self) -> str:
        """The fsspec URL in use."""
        return self.storage_url or str((self.data_dir / "files").resolve())

    @property
    def work_dir(self) -> Path:
        """Where this machine's runs have their working folders."""
        return (self.data_dir / "work").resolve()


def _check_file_system(protocol: str) -> None:
    """Raise ValueError for what fsspec does not know, what needs another package, and what cannot be written."""
    from fsspec import get_filesystem_class

    try:
        get_filesystem_class(protocol)
    except ImportError as error:
        raise ValueError("a file system of fsspec whose package is installed") from error
    if protocol in _READ_ONLY:
        raise ValueError("a place that can be written")


@cache
def get_settings() -> Settings:
    """The settings of this process. Raises WrongSettings."""
    try:
        return Settings()
    except UnicodeDecodeError as error:
        raise WrongSettings(f"The file .env is not UTF-8: {error}. Save it as UTF-8.") from None
    except ValidationError as error:
        raise explain(error, Settings.model_fields) from None
