"""``camtraps serve``: the detector and the classifier as a small HTTP service."""

import argparse
import logging
import os
import re
import sys
from pathlib import Path

from camtraps.commands.common import Commands, count, say, share, whole
from camtraps.errors import InputError, MissingError

EXAMPLES = """examples:
  camtraps serve
  camtraps serve --detector whole --port 8080
  camtraps serve --allow https:// --allow s3://team-photos/ --accept-model 4.1

  curl -F photo=@photo.jpg http://127.0.0.1:8000/classify

A JSON list of URIs is read only from what --allow names. CAMTRAPS_CALLERS=name,name says who may ask: in the header
`caller` of /classify, in the field of that name of the Batch Detection API at /v4/camera-trap/detection-batch.
"""


def add(commands: Commands) -> None:
    """Add the command."""
    from camtraps import layout

    form = argparse.RawDescriptionHelpFormatter
    text = "answer for photos over HTTP, and be a server of the Batch Detection API"
    parser = commands.add_parser("serve", help=text, epilog=EXAMPLES, formatter_class=form)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (%(default)s: this machine alone)")
    parser.add_argument("--port", type=whole, default=8000, help="0: any that is free (%(default)s)")
    text = "the model folder (%(default)s)"
    parser.add_argument("--model", type=Path, default=layout.CLASSIFIER, metavar="FOLDER", help=text)
    text = "who finds the animals (%(default)s); whole: photos are of one animal, cut already"
    parser.add_argument("--detector", choices=("megadetector", "whole"), default="megadetector", help=text)
    parser.add_argument("--detector-model", metavar="MODEL", help="a name such as MDV5A, or a file")
    text = "least confidence of a box (what the classifier was trained with)"
    parser.add_argument("--threshold", type=share, metavar="SHARE", help=text)
    parser.add_argument("--top", type=count, default=5, metavar="N", help="classes to name at a box (%(default)s)")
    text = "what URIs may begin with: https://, s3://BUCKET/ ...; may stand several times (none)"
    parser.add_argument("--allow", action="append", default=[], metavar="PREFIX", help=text)
    text = "also web addresses of this machine and its network"
    parser.add_argument("--allow-private", action="store_true", help=text)
    text = "a model version that old clients ask for, such as 4.1; may stand several times"
    parser.add_argument("--accept-model", action="append", default=[], metavar="VERSION", help=text)
    text = "where tasks are kept (below CAMTRAPS_WORK)"
    parser.add_argument("--folder", type=Path, metavar="FOLDER", help=text)
    parser.add_argument("--url", metavar="URL", help="address of this service for others, where a proxy is before it")
    _add_limits(parser)
    parser.set_defaults(run=_serve)


def _add_limits(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--max-bytes", type=int, default=32_000_000, help="of a body or a photo (%(default)s)")
    parser.add_argument("--max-pixels", type=int, default=50_000_000, help="of a photo (%(default)s)")
    parser.add_argument("--max-photos", type=count, default=100, help="to answer for at once (%(default)s)")
    parser.add_argument("--max-tasks", type=count, default=64, help="waiting or running (%(default)s)")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds, of a body or an answer (%(default)s)")


def _serve(options: argparse.Namespace) -> int:
    try:
        from camtraps.service import running
    except ImportError as error:
        raise MissingError(f"the service needs {error.name}; run `pip install '.[serve]'`") from None
    from camtraps.files import work_dir
    from camtraps.service.limits import Limits
    from camtraps.service.setup import Setup

    for version in options.accept_model:
        if not re.fullmatch(r"\w[\w.-]*", version, re.ASCII):
            raise InputError(f"--accept-model: expected a version such as 4.1, got {version!r}")
    given = {name: getattr(options, name) for name in ("max_bytes", "max_pixels", "max_photos", "max_tasks", "timeout")}
    try:
        limits = Limits(allow=tuple(options.allow), allow_private=options.allow_private, **given)
    except ValueError as error:
        raise InputError(f"--{str(error).replace('_', '-')}") from None
    setup = Setup(
        model=options.model,
        detector=options.detector,
        detector_model=options.detector_model,
        threshold=options.threshold,
        num_classes=options.top,
        limits=limits,
    )
    place = running.Place(
        host=options.host,
        port=options.port,
        folder=options.folder or work_dir("service"),
        url=options.url.rstrip("/") if options.url else None,
        callers=tuple(filter(None, os.environ.get("CAMTRAPS_CALLERS", "").split(","))),
        versions=tuple(options.accept_model),
    )
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")

    def ready(address: str) -> None:
        say(f"{address}: {options.detector} and {options.model}; Ctrl-C ends it")
        sys.stdout.flush()

    running.serve(setup, place, ready)
    return 0
