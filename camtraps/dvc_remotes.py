"""Remotes of DVC: where a team keeps its data and models; set up in DVC's configuration, and tried within seconds."""

import os
import re
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Late
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from camtraps.access import SECRET
from camtraps.errors import CamtrapsError, InputError
from camtraps.troubles import BROKEN, NO_STORE, UNKNOWN, UNREACHED, UNTRUSTED

# What DVC's configuration gets for each kind of remote. Without `verify` DVC accepts a damaged object in silence. A job
# holds up to a whole shard in memory; the times are seconds.
SETTINGS: dict[str, dict[str, object]] = {
    "s3": {"verify": True, "jobs": 8, "connect_timeout": 10, "read_timeout": 60},
    "azure": {"verify": True, "jobs": 4, "connection_timeout": 10, "read_timeout": 60},
    "ssh": {"verify": True, "jobs": 4, "timeout": 30},
    "": {"verify": True},
}
# What may be given besides the address, and the name that DVC has for it.
OPTIONS = {
    "s3": {"endpoint": "endpointurl", "profile": "profile", "region": "region"},
    "azure": {"account": "account_name"},
    "ssh": {"keyfile": "keyfile"},
    "": {},
}
SECRETS = {
    "s3": ("access_key_id", "secret_access_key", "session_token"),
    "azure": ("connection_string", "account_key", "sas_token", "client_secret"),
    "ssh": ("password", "passphrase"),
    "": (),
}
ENVIRONMENT = {  # where DVC finds credentials that are not in its configuration
    "s3": "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "azure": "set AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN or AZURE_STORAGE_CONNECTION_STRING",
    "ssh": "set up a key as for `ssh`, or `dvc remote modify --local NAME password ...`",
}
CLIENTS = {"s3": "s3fs", "azure": "adlfs", "ssh": "sshfs"}
LIMIT = 4.5  # seconds that a remote has to show that it can be used
CONTENT = b"written by `camtraps doctor`; may be deleted\n"
REFUSED = (401, 403)
MISSING = 404
WRONG = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "AuthenticationFailed", "AuthorizationFailure", "InvalidToken")


@dataclass(frozen=True)
class Remote:
    """A remote of DVC's configuration.

    ``store`` is DVC's file system for it, ``path`` the remote's folder there; ``verifies`` says whether DVC compares
    what it fetches with its hash.
    """

    name: str
    url: str
    store: Any
    path: str
    verifies: bool

    @property
    def kind(self) -> str:
        """The kind of store: s3, azure, ssh, or nothing for a disk."""
        return _kind(self.url)

    @property
    def where(self) -> str:
        """The server where one was named, and the address."""
        endpoint = self.store.fs_args.get("client_kwargs", {}).get("endpoint_url") if self.kind == "s3" else None
        return f"{self.url} at {endpoint}" if endpoint else self.url


def add(url: str, name: str, options: Mapping[str, str], secrets: Mapping[str, str]) -> list[Path]:
    """Write a remote into DVC's configuration, as the default one; one of that name is replaced.

    Args:
        url: ``s3://bucket/path``, ``azure://container/path``, ``ssh://user@host/path``, or a folder that is there.
        name: what DVC is to call it.
        options: by the names of `OPTIONS`.
        secrets: by the names of `SECRETS`; they go to ``.dvc/config.local``, which git does not track.

    Returns:
        The files that were written.

    Raises:
        InputError: an address, option or secret that cannot be.
    """
    from dvc.config import Config

    url, kind = _checked(url), _kind(url)
    for given, known, what in ((options, OPTIONS[kind], "option"), (secrets, SECRETS[kind], "secret")):
        for key in given:
            if key not in known:
                named = ", ".join(known) or "none"
                raise InputError(f"{url}: takes no {what} {key}; of its kind it takes {named}")
    if any(SECRET.search(value) for value in options.values()):
        raise InputError("an option looks like a key, which would get into git; give it with --secret")
    _check_name(name)
    config = Config.from_cwd()
    with config.edit("repo") as changed:
        section = {"url": url} | SETTINGS[kind] | {OPTIONS[kind][key]: value for key, value in options.items()}
        changed["remote"][name] = section
        changed["core"]["remote"] = name
    if secrets:
        with config.edit("local") as changed:
            changed["remote"][name] = changed["remote"].get(name, {}) | dict(secrets)
    files = [Path(".dvc/config"), *([Path(".dvc/config.local")] if secrets else [])]
    if secrets:
        files[1].chmod(0o600)
    return files


def of_config(name: str | None = None) -> Remote | None:
    """Give a remote of DVC's configuration; None is the default one, which there may not be.

    Raises:
        InputError: no remote of that name, a configuration that DVC refuses, or a package that is missing.
    """
    from dvc.config import Config
    from dvc.exceptions import DvcException
    from dvc.fs import get_cloud_fs
    from dvc_objects.fs.errors import AuthError, ConfigError, RemoteMissingDepsError

    try:
        config = Config.from_cwd()
        name = name or config["core"].get("remote")
        if name is None:
            return None
        store_class, arguments, path = get_cloud_fs(config, name=name)
        url, verifies = str(config["remote"][name.lower()]["url"]), bool(arguments.get("verify"))
        return Remote(name, url, store_class(**arguments), path, verifies)
    except RemoteMissingDepsError:
        raise InputError(f"remote {name}: a package is missing; pip install '.[ssh]'") from None
    except (AuthError, ConfigError, DvcException) as error:
        remedy = f"; {ENVIRONMENT['azure']}" if isinstance(error, AuthError) else ""
        raise InputError(f"remote {name}: {' '.join(str(error).split())}{remedy}") from None


def check(remote: Remote) -> None:
    """Write a small object to a remote, read it, delete it.

    Raises:
        CamtrapsError: it cannot be used, or took longer than `LIMIT`; the message says why.
    """
    done: Future[None] = Future()

    def tried() -> None:
        try:
            _try(remote)
            done.set_result(None)
        except Exception as error:  # noqa: BLE001 - each store has errors of its own
            done.set_exception(error)

    if remote.kind in CLIENTS:
        import_module(CLIENTS[remote.kind])  # which takes its time on a busy machine, and is none of the remote's
    # Not in a pool, which would wait at the end of the program for what hangs.
    Thread(target=tried, daemon=True).start()
    try:
        done.result(LIMIT)
    except CamtrapsError:
        raise
    except Late:
        raise CamtrapsError(f"{remote.where} did not answer within {LIMIT:g} s") from None
    except Exception as error:
        raise CamtrapsError(told(error, remote)) from error


def told(error: BaseException, remote: Remote) -> str:
    """Tell an error of a remote's store in one line."""
    chain, remedy = _chain(error), ENVIRONMENT.get(remote.kind, "ask for the permission")
    names = {each.__name__ for link in chain for each in type(link).__mro__}
    status, code = next(filter(None, map(_answer, chain)), (None, ""))
    bucket = f"{remote.kind}://{urlsplit(remote.url).netloc}"
    if code in NO_STORE or status == MISSING:
        return f"{bucket} does not exist" + remote.where.removeprefix(remote.url) + "; make it, or mend the address"
    if status in REFUSED or "PermissionDenied" in names:
        phrase = f" ({code})" if code else ""
        return f"{remote.where} refuses the credentials{phrase}; {remedy}"
    if names & UNTRUSTED:
        return f"the certificate of {remote.where} is not trusted"
    if names & UNKNOWN:
        return f"no credentials for {remote.where}; {remedy}"
    if names & (UNREACHED | {"ConnectionRefusedError", "gaierror"}):
        return f"no connection to {remote.where}; is the server running, is the address right?"
    if any("Timeout" in name for name in names):
        return f"{remote.where} did not answer in time"
    if names & (BROKEN | {"ConnectionLost", "DisconnectError"}):
        return f"the connection to {remote.where} broke off"
    words = str(getattr(error, "strerror", None) or error or type(error).__name__)
    return f"{remote.where}: {' '.join(words.split())[:200]}"


def _kind(url: str) -> str:
    protocol = url.partition("://")[0] if "://" in url else ""
    return {"az": "azure"}.get(protocol, protocol)


def _checked(url: str) -> str:
    """Give an address as DVC wants it.

    Raises:
        InputError: another kind of address, one with a key in it, or a folder that is not there.
    """
    if url.startswith("az://"):
        url = url.replace("az://", "azure://", 1)
    kind = _kind(url)
    if kind not in SETTINGS:
        raise InputError(f"{url}: must be s3://, azure://, ssh:// or a folder; `dvc remote add` knows other kinds")
    if not kind:
        if not Path(url).is_dir():
            raise InputError(f"{url}: no such folder; make it, or mount its disk")
        return str(Path(url).absolute())
    parts = urlsplit(url)
    if parts.password or parts.query:
        raise InputError(f"{kind}://{parts.hostname}: the address holds a key, which would get into git; see --secret")
    if not parts.netloc:
        raise InputError(f"{url}: names no {'host' if kind == 'ssh' else 'bucket'}")
    return url


def _check_name(name: str) -> None:
    if not re.fullmatch("[a-z0-9_-]+", name):
        raise InputError(f"--name: must be of small letters, digits, - and _, got {name!r}")


def _try(remote: Remote) -> None:
    """Take the steps of `check`; errors are those of the store."""
    name = f"{remote.path.rstrip('/')}/camtraps-doctor-{uuid.uuid4().hex[:8]}"
    write, read, delete = STEPS.get(remote.kind, _steps_of_others)(remote.store, name)
    try:
        write()
    except Exception as error:
        if _may_read(remote, error):
            raise CamtrapsError(f"{remote.where} may be read but not written; ask for the permission") from None
        raise
    if read() != CONTENT:
        raise CamtrapsError(f"{remote.where} gives back other bytes than were written")
    try:
        delete()
    except Exception as error:
        raise CamtrapsError(f"{remote.where} may be written but not deleted from: {name} stays there") from error


Steps = tuple[Callable[[], object], Callable[[], bytes], Callable[[], object]]


def _steps_of_s3(store: Any, name: str) -> Steps:
    from fsspec.asyn import get_loop, sync

    # The client itself, since its errors tell more than those of the file system.
    store.fs_args.setdefault("config_kwargs", {}).update(
        connect_timeout=LIMIT, read_timeout=LIMIT, retries={"total_max_attempts": 1}
    )
    bucket, _, key = name.partition("/")
    place, system = {"Bucket": bucket, "Key": key}, store.fs

    async def ask(what: str, **more: Any) -> bytes:
        client = await system.set_session()
        answer = await getattr(client, f"{what}_object")(**place, **more)
        return bytes(await answer["Body"].read()) if what == "get" else b""

    def asked(what: str, **more: Any) -> bytes:
        return bytes(sync(get_loop(), ask, what, **more))

    return lambda: asked("put", Body=CONTENT), lambda: asked("get"), lambda: asked("delete")


def _steps_of_azure(store: Any, name: str) -> Steps:
    from fsspec.asyn import get_loop, sync

    container, _, blob = name.partition("/")
    # Its own tries pause for a quarter of a minute.
    limits = {"retry_total": 0, "connection_timeout": LIMIT, "read_timeout": LIMIT}
    system = store.fs

    async def ask(what: str, *given: Any) -> bytes:
        client = system.service_client.get_blob_client(container, blob)
        answer = await getattr(client, f"{what}_blob")(*given, **limits)
        return bytes(await answer.readall()) if what == "download" else b""

    def asked(what: str, *given: Any) -> bytes:
        return bytes(sync(get_loop(), ask, what, *given))

    return lambda: asked("upload", CONTENT), lambda: asked("download"), lambda: asked("delete")


def _steps_of_disk(store: Any, name: str) -> Steps:
    path = Path(name)
    if not path.parent.is_dir():
        raise CamtrapsError(f"{path.parent}: no such folder; make it, or mount its disk")
    return lambda: path.write_bytes(CONTENT), path.read_bytes, path.unlink


def _steps_of_others(store: Any, name: str) -> Steps:
    if "timeout" in store.fs_args:  # ssh
        store.fs_args["timeout"] = LIMIT
    folder = os.path.dirname(name)  # noqa: PTH120 - of another machine

    def write() -> None:
        store.fs.makedirs(folder, exist_ok=True)
        store.fs.pipe_file(name, CONTENT)

    return write, lambda: bytes(store.fs.cat_file(name)), lambda: store.fs.rm_file(name)


STEPS: dict[str, Callable[[Any, str], Steps]] = {
    "s3": _steps_of_s3,
    "azure": _steps_of_azure,
    "": _steps_of_disk,
}


def _may_read(remote: Remote, error: Exception) -> bool:
    """Say whether a store that refused to write would let read: it knows who asks, and lists what is there."""
    status, code = next(filter(None, map(_answer, _chain(error))), (None, ""))
    refused = status in REFUSED or isinstance(error, PermissionError) or type(error).__name__ == "SFTPPermissionDenied"
    if not refused or code in WRONG:
        return False
    try:
        remote.store.fs.ls(remote.path) if remote.kind else list(Path(remote.path).iterdir())
    except FileNotFoundError:  # nothing was pushed yet
        return True
    except Exception:  # noqa: BLE001 - whatever it is, the first error is told
        return False
    return True


def _chain(error: BaseException) -> list[BaseException]:
    """Give an error and those that it came of."""
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    return chain


def _answer(error: BaseException) -> tuple[int, str] | None:
    """Give the HTTP status of a client's error and the store's word for it, if it has them."""
    given = getattr(error, "response", None)
    if isinstance(given, dict):  # botocore's
        status, code = given.get("ResponseMetadata", {}).get("HTTPStatusCode"), given.get("Error", {}).get("Code")
    else:  # azure's
        status, code = getattr(error, "status_code", None), getattr(error, "error_code", None)
    word = str(getattr(code, "value", code) or "")
    return (status, word if word.isalpha() else "") if isinstance(status, int) else None
