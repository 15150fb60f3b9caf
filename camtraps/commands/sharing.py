"""``camtraps remote``, ``verify``, ``peek``: data and models shared with a team through DVC's remotes."""

import argparse
import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from camtraps.commands.common import Commands, check_dvc, check_own, dvc_repository, say
from camtraps.errors import FailuresError, InputError

if TYPE_CHECKING:
    from camtraps.objects import Fault, Held

REMOTE = """examples:
  camtraps remote add s3://bucket/camtraps
  camtraps remote add s3://bucket/camtraps --endpoint https://minio.example.org --profile team
  camtraps remote add azure://container/camtraps --account teamphotos --secret account_key
  camtraps remote add ssh://me@server.example.org/data/camtraps
  camtraps remote add /mnt/share/camtraps

Writes .dvc/config, for git. Keys come from the environment of the cloud's own tools, or --secret asks for them (or
reads a line of stdin) and writes them to .dvc/config.local, which git does not track. Then run `camtraps doctor`.
"""
VERIFY = """examples:
  camtraps verify
  camtraps verify --remote
  camtraps verify --remote team --dry-run

Hashes every object of DVC's cache, and with --remote of the remote, and compares the hash with the name. What is
damaged in the cache is fetched from the remote; what is damaged or missing on the remote is sent from the cache. Ends
with 1 if something could not be mended.
"""
PEEK = """examples:
  camtraps peek "mine/site 7/IMG_0042.JPG"
  camtraps peek mine/a.jpg --out crops --repo https://example.org/team/camtraps.git --rev species-classifier@v1.0.0

Writes the crops of a photo, of which only these bytes are read if their shard was not pulled.
"""
DEFAULT = ""  # what --remote without a name gives


def add(commands: Commands) -> None:
    """Add ``remote``, ``verify`` and ``peek``."""
    form = argparse.RawDescriptionHelpFormatter
    remote = commands.add_parser("remote", help="set up the remote where data and models are shared")
    add_remote = remote.add_subparsers(required=True, metavar="COMMAND").add_parser(
        "add", help="write a remote into DVC's configuration", epilog=REMOTE, formatter_class=form
    )
    add_remote.add_argument("url", metavar="URL", help="s3://, azure://, ssh:// or a folder")
    add_remote.add_argument("--name", default="team", help="what DVC is to call it (%(default)s)")
    add_remote.add_argument("--endpoint", metavar="URL", help="s3: address of a server that is not Amazon's")
    add_remote.add_argument("--profile", help="s3: a profile of the AWS configuration")
    add_remote.add_argument("--region", help="s3: the region of the bucket")
    add_remote.add_argument("--account", help="azure: the storage account")
    add_remote.add_argument("--keyfile", help="ssh: the file of the private key")
    text = "ask for a key and keep it from git: access_key_id, secret_access_key, account_key, connection_string ..."
    add_remote.add_argument("--secret", action="append", default=[], metavar="NAME", help=text)
    add_remote.set_defaults(run=_add)
    text = "hash the objects of DVC's cache and remote again and mend them"
    verify = commands.add_parser("verify", help=text, epilog=VERIFY, formatter_class=form)
    text = "also those of a remote (default: the default one)"
    verify.add_argument("--remote", nargs="?", const=DEFAULT, metavar="NAME", help=text)
    verify.add_argument("--dry-run", action="store_true", help="only list what is wrong")
    verify.set_defaults(run=_verify)
    peek = commands.add_parser("peek", help="look at crops without pulling them", epilog=PEEK, formatter_class=form)
    peek.add_argument("image", metavar="DATASET/FILE", help="the photo")
    peek.add_argument("--out", type=Path, default=Path(), metavar="FOLDER", help="where to write them (default: here)")
    peek.add_argument("--repo", metavar="URL", help="another git repository")
    peek.add_argument("--rev", metavar="REV", help="a commit, branch or tag")
    peek.set_defaults(run=_peek)


def _add(options: argparse.Namespace) -> int:
    from camtraps import dvc_remotes

    check_dvc()
    given = {name: getattr(options, name) for name in ("endpoint", "profile", "region", "account", "keyfile")}
    chosen = {name: value for name, value in given.items() if value is not None}
    secrets = {name: _ask(name) for name in options.secret}
    files = dvc_remotes.add(options.url, options.name, chosen, secrets)
    say(f"remote {options.name}: {options.url} -> {', '.join(map(str, files))}")
    say("commit .dvc/config for the others, then try it: camtraps doctor")
    return 0


def _verify(options: argparse.Namespace) -> int:
    from camtraps import dvc_remotes, objects

    with dvc_repository() as repository:
        remote = dvc_remotes.of_config(options.remote or None)
        if remote is None and options.remote is not None:
            raise InputError("no remote is configured; camtraps remote add URL")
        outputs = objects.wanted(repository)
        cache, found = objects.hold(objects.cache_of(repository)), []
        say(_told(cache))
        other: Held | None = None
        if remote and options.remote is not None:
            other = objects.hold(objects.remote_place(remote))
            say(_told(other))
        elif remote and cache.damaged:
            other = objects.look_up(objects.remote_place(remote), cache.damaged)
        pairs = [(cache, other), *([(other, cache)] if other and options.remote is not None else [])]
        for held, source in pairs:
            faults = objects.faults(held, source, outputs)
            mended = faults if options.dry_run else objects.mend(faults, held, source)
            for fault in mended:
                say(fault.line())
                found.append(fault)
    return _end(found)


def _told(held: "Held") -> str:
    from camtraps.fetching import size
    from camtraps.words import num

    what = f"{num(len(held.sizes), 'object')}, {size(sum(held.sizes.values()))}"
    return f"{held.place.name}: {what}, {f'{len(held.damaged):,} damaged' if held.damaged else 'all intact'}"


def _end(found: "list[Fault]") -> int:
    left = [fault for fault in found if not fault.mended]
    if left:
        raise FailuresError(f"{len(left):,} of {len(found):,} faults are not mended, listed above")
    return 0


def _peek(options: argparse.Namespace) -> int:
    from camtraps import peeking
    from camtraps.files import replacing

    if not options.repo:
        check_dvc()
        check_own(options.out / "crop.jpg")
    for name, label, jpeg in peeking.crops(options.image, options.repo, options.rev):
        path = options.out / Path(name).name
        with replacing(path) as part:
            part.write_bytes(jpeg)
        say(f"{path}: {label}")
    return 0


def _ask(name: str) -> str:
    value = getpass.getpass(f"{name}: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    if not value:
        raise InputError(f"--secret {name}: nothing was given; type it, or give it as a line of stdin")
    return value
