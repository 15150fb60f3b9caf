"""Lists of files: the names of photos for AzCopy and rclone to copy, one a line, and the command that does it.

AzCopy takes each line for a path below its source and quotes it itself; without ``--as-subdir=false`` it would make
a folder named like the source (`azcopy copy --help`). rclone takes lines as they stand with ``--files-from-raw``, and
asks for each file alone with ``--no-traverse`` instead of listing the whole bucket (rclone.org/filtering).
"""

import shlex
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from camtraps import access
from camtraps.files import replacing
from camtraps.photo_lists import Listed
from camtraps.storage import is_local

ACCOUNT, SAS = "ACCOUNT", "SAS"  # what people fill in themselves
AZURE = ".blob.core.windows.net"


def export(photos: Iterable[Listed], path: Path) -> str:
    """Write the names of photos, as the catalog has them, one a line; give the counts as text.

    Names with a line end are left out and counted.
    """
    written = left_out = 0
    with replacing(path) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        for photo in photos:
            if "\n" in photo.file or "\r" in photo.file:
                left_out += 1
                continue
            file.write(f"{photo.file}\n")
            written += 1
    return f"{written:,} files" + (f"; {left_out:,} left out: a line end in the name" if left_out else "")


def command(root: str, listing: Path, target: Path) -> str:
    """Give the command that copies the files of a list, without any key.

    Args:
        root: the dataset's image folder or URI; local photos are for bringing to Azure, others for fetching.
        listing: the list.
        target: folder for fetched photos.
    """
    if is_local(root):
        return _azcopy(root, f"https://{ACCOUNT}{AZURE}/CONTAINER?{SAS}", listing)
    kind, address = access.kind(root), urlsplit(root)
    if kind == "web" and (address.hostname or "").endswith(AZURE):
        return _azcopy(f"https://{address.hostname}{address.path}?{SAS}", str(target), listing)
    bucket, _, folder = root.partition("://")[2].partition("/")
    if kind == "az":
        container, _, host = bucket.partition("@")
        account = access.reach(root).account or host.partition(".")[0] or ACCOUNT
        where = quote(f"{container}/{folder}".rstrip("/"))
        return _azcopy(f"https://{account}{AZURE}/{where}?{SAS}", str(target), listing)
    place = unquote(address.path) if kind == "web" else f"{bucket}/{folder}"
    source = f":{','.join(_remote(root, kind))}:{place.strip('/')}"
    return shlex.join(["rclone", "copy", source, str(target), "--files-from-raw", str(listing), "--no-traverse"])


def _remote(root: str, kind: str) -> list[str]:
    """Give rclone's words for a store."""
    reach = access.reach(root)
    if kind == "web":
        return ["http", f"url='{access.place(root)}'"]
    if kind == "gs":
        return ["gcs", "anonymous=true" if reach.anonymous else "env_auth=true"]
    words = [kind, "provider=Other" if reach.endpoint else "provider=AWS"]
    words += [f"endpoint='{reach.endpoint}'"] if reach.endpoint else []
    words += [] if reach.anonymous else ["env_auth=true"]
    return [*words, f"profile={reach.profile}"] if reach.profile else words


def _azcopy(source: str, target: str, listing: Path) -> str:
    return shlex.join(["azcopy", "copy", source, target, "--list-of-files", str(listing), "--as-subdir=false"])
