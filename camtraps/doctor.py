"""Look at the environment: which Pillow, decoders, torch, CUDA, DVC and remote are in use, and what is wrong there."""

import os
import shutil
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from camtraps.errors import CamtrapsError


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    name: str
    text: str
    good: bool = True

    def line(self) -> str:
        """Say it."""
        return f"{'ok ' if self.good else 'BAD'} {self.name:8} {self.text}"


def examine() -> list[Finding]:
    """Examine Python, Pillow, torch, DVC and the work folder, in this order."""
    return [_python(), _pillow(), _decoder(), _regions(), *_torch(), _dvc(), _work()]


def remote(name: str | None = None) -> Finding:
    """Try a remote of DVC, by default the default one: whether it may be written and read."""
    from camtraps import dvc_remotes

    try:
        found = dvc_remotes.of_config(name)
        if found is None:
            return Finding("remote", "none is configured; `camtraps remote add URL` shares data and models")
        dvc_remotes.check(found)
    except CamtrapsError as error:
        return Finding("remote", str(error), False)
    unsure = f", but damage goes unseen; `dvc remote modify {found.name} verify true`"
    return Finding("remote", f"{found.name}, {found.where}: can be written and read{'' if found.verifies else unsure}")


def _python() -> Finding:
    return Finding("python", f"{sys.version.split()[0]} at {sys.executable}", sys.version_info >= (3, 11))


def _pillow() -> Finding:
    import PIL
    from PIL import Image

    installed = _version("pillow-simd")
    is_simd = ".post" in PIL.__version__ and PIL.__version__ == Image.core.PILLOW_VERSION  # type: ignore[attr-defined]
    if is_simd:
        return Finding("pillow", f"Pillow-SIMD {PIL.__version__}")
    if installed:
        return Finding(
            "pillow", f"{PIL.__version__} hides the installed pillow-simd {installed}; run `make simd`", False
        )
    return Finding("pillow", f"Pillow {PIL.__version__} (`make simd` resizes up to ten times faster)")


def _decoder() -> Finding:
    from PIL import features

    turbo = "libjpeg-turbo" if features.check_feature("libjpeg_turbo") else "libjpeg"
    found = features.version_feature("libjpeg_turbo") or features.version_codec("jpg")
    return Finding("decoder", f"{turbo} {found} through Pillow", bool(features.check_codec("jpg")))


def _regions() -> Finding:
    from camtraps import regions

    if found := regions.decoder():
        return Finding("regions", f"nvimgcodec {found.version} decodes of a JPEG what a crop needs")
    return Finding("regions", "Pillow decodes whole photos: nvidia-nvimgcodec-cu13 is not installed or does not load")


def _torch() -> list[Finding]:
    import torch

    findings = [Finding("torch", f"{torch.__version__}, {torch.get_num_threads()} threads")]
    try:
        import torchvision

        torchvision.ops.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
        findings.append(Finding("vision", f"torchvision {torchvision.__version__}"))
    except (ImportError, RuntimeError) as error:
        hint = "torchvision does not fit this torch; install both with `pip install -c constraints.txt`"
        findings.append(Finding("vision", f"{hint}: {error}".splitlines()[0], False))
    if torch.cuda.is_available():
        names = ", ".join(torch.cuda.get_device_name(at) for at in range(torch.cuda.device_count()))
        findings.append(Finding("cuda", f"{torch.version.cuda}: {names}"))
    else:
        findings.append(Finding("cuda", f"no GPU in use (torch built for CUDA {torch.version.cuda or 'none'})"))
    return findings


def _dvc() -> Finding:
    found = _version("dvc")
    if not found:
        return Finding("dvc", "not installed in this environment; run `make install`", False)
    on_path = shutil.which("dvc")
    here = Path(sys.executable).parent
    # DVC runs stages with the `python` of the PATH, so a foreign one on it runs them without our packages.
    python = shutil.which("python")
    if python is None or Path(python).parent != here:
        return Finding("dvc", f"{found}, but `python` on the PATH is {python}: `. {here}/activate` first", False)
    return Finding("dvc", f"{found} at {on_path}")


def _work() -> Finding:
    from camtraps.files import work_dir

    try:
        folder = work_dir("locks").parent
    except OSError as error:
        return Finding("work", f"cannot be written: {error}; set CAMTRAPS_WORK", False)
    free = shutil.disk_usage(folder).free / 1e9
    return Finding("work", f"{folder}, {free:.0f} GB free", os.access(folder, os.W_OK) and free > 1)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
