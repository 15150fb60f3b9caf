"""The promises that the repository makes about itself."""

import dataclasses
import itertools
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from imports import ROOT, code_deps, imported

from camtraps import (  # noqa: F401
    collection_files,
    crops,
    demo,
    detections,
    evaluation,
    layout,
    merge,
    query,
    recipes,
    reports,
    review,
    splits,
)
from camtraps.demo.plan import DemoParams

# A module imports only from the lines above its own.
LAYERS = [
    ["errors", "words", "taxa", "boxes"],
    ["params", "schema", "files", "progress", "processes", "lineages", "pools"],
    ["archives", "results", "verdicts"],
    ["engines.pool", "engines.cluster"],
    ["engines.shares"],
    ["streams", "tables", "taxonomy", "access", "layout", "corrections", "formats.rows", "formats.xmp", "sampling"],
    ["troubles"],
    ["stores", "dvc_remotes"],
    ["remote", "objects"],
    ["storage", "detectors.answers"],
    ["reading"],
    ["taxonomy_checks", "taxonomy_outline", "label_rules", "existence", "failures", "collections", "videos"],
    ["plots", "predictions", "outputs", "pages"],
    ["split_params", "balancing", "duplicates"],
    ["ancestor_splits", "split_files"],
    ["placing"],
    ["recorded", "downloads", "journal", "calibration", "repeats"],
    ["formats.photo_headers", "formats.lila_datasets", "formats.camtrap_dp_package", "image_folders", "regions"],
    [
        "smoothing",
        "formats.coco",
        "formats.megadetector",
        "formats.camtrap_dp",
        "formats.flat",
        "formats.folders",
        "formats.lila",
    ],
    ["formats.megadb", "formats.decisions", "listings"],
    ["formats.animl", "formats.queried_images", "formats.megadetector_json"],
    ["images", "shards", "units", "photo_sources"],
    ["detected_photos"],
    ["thumbnails"],
    ["label_json", "label_csv", "rated"],
    ["label_specs"],
    ["labels"],
    ["suggestion", "explanation", "hits", "signatures"],
    ["acceptance", "examples", "foreign", "confident_learning", "kinship", "lookalikes", "noise"],
    ["weights", "metrics", "mapping", "catalog", "crops", "detections", "splits", "review", "detectors.background"],
    ["detectors.model_files", "detectors.batch_client"],
    ["detectors.megadetector"],
    ["detectors.batch_places", "detectors.batch_tasks"],
    ["detectors.batch_api"],
    ["parts", "query_params", "query_rules", "intake_rules", "detectors.motion", "decisions", "result_files"],
    ["query", "intake", "inventory", "catalog_sql"],
    ["summaries", "collection_files", "photo_lists"],
    ["importing", "recording", "detecting", "cutting", "fetching", "image_checks", "calibrating"],
    ["finding"],
    ["exports.cct", "exports.flat", "exports.queried_images", "exports.training_files", "exports.camtrap_dp_terms"],
    ["exports.crops", "exports.file_list", "exports.scores", "exports.labelled_crops"],
    ["exports.coco_crops", "exports.tfrecords", "statistics", "tops"],
    ["exports.mislabeled"],
    ["exports.camtrap_dp_sql"],
    ["exports.camtrap_dp"],
    ["experiments", "peeking"],
    ["exports.classified"],
    ["transforms", "networks", "ranks", "scoring", "recipes"],
    ["models", "checkpoints", "curves"],
    ["datasets", "starting", "foreign_models", "deploying"],
    ["inference", "tasks", "features"],
    ["classifier", "optimizing"],
    ["training_state", "watching", "classifying", "any_classifier", "crop_files"],
    ["training", "evaluation", "merge", "running"],
    ["merge_crops", "aggregation"],
    ["merge_files"],
    ["inspection"],
    ["samples", "loose_photos", "classified_photos", "marking", "service.limits", "service.protocol"],
    ["service.reading", "service.queue"],
    ["service.setup"],
    ["service.eyes"],
    ["service.worker"],
    ["service.dispatcher", "service.shared", "service.bodies"],
    ["service.batch"],
    ["service.app"],
    ["service.running"],
    ["runs", "review_page", "contenders"],
    ["data_card", "evaluation_page", "comparison"],
    ["model_card"],
    ["reports", "folds"],
    ["demo"],
    ["doctor", "pace"],
    ["commands.common"],
    ["commands.printing", "commands.sources", "commands.crop_exports"],
    ["commands.imports", "commands.exports", "commands.catalog", "commands.taxonomy", "commands.labels"],
    ["commands.photos", "commands.detect", "commands.batch_api", "commands.calibrate", "commands.models"],
    ["commands.inspect", "commands.merge", "commands.mapping", "commands.classify"],
    ["commands.run_classifier"],
    ["commands.chain"],
    ["commands.tutorial", "commands.predict", "commands.serve"],
    ["commands.corrections"],
    ["commands.compare"],
    ["commands.sharing", "commands.experiments"],
    ["commands.pace"],
    ["cli"],
]
LEVEL = {f"camtraps.{name}": level for level, names in enumerate(LAYERS) for name in names}
PACKAGES = {
    f"camtraps{name}" for name in ("", ".formats", ".detectors", ".commands", ".exports", ".engines", ".service")
}
MODULES = sorted(ROOT.glob("camtraps/**/*.py"))
STAGES = sorted(path for path in ROOT.glob("stages/*.py") if not path.name.startswith("_"))
PARAMS = {
    "data": layout.DataParams,
    "demo": DemoParams,
    "query": query.QueryParams,
    "detect": detections.DetectParams,
    "crop": crops.CropParams,
    "split": splits.SplitParams,
    "train": recipes.TrainParams,
    "evaluate": evaluation.EvaluateParams,
    "merge": merge.MergeParams,
    "mislabel": review.MislabelParams,
    "report": reports.ReportParams,
}
LIGHT = ["query", "detect", "crop", "split", "merge", "report"]


def name_of(path: Path | str) -> str:
    name = str(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return "camtraps.demo" if name.startswith("camtraps.demo.") else name


def pipeline() -> dict[str, dict]:
    stages = {}
    for path in (ROOT / "dvc.yaml", ROOT / "data/demo/dvc.yaml"):
        stages |= yaml.safe_load(path.read_text())["stages"]
    return stages


@pytest.mark.parametrize("path", MODULES, ids=lambda path: name_of(path.relative_to(ROOT)))
def test_a_module_imports_only_from_lower_layers(path):
    own = name_of(path.relative_to(ROOT).as_posix())
    if own in PACKAGES:
        return
    upward = {
        name for name in map(name_of, imported(path)) if name not in PACKAGES | {own} and LEVEL[name] >= LEVEL[own]
    }
    assert not upward


def test_the_library_imports_no_stage():
    assert not [path for path in MODULES if any(name.startswith("stages") for name in imported(path))]


@pytest.mark.parametrize("path", STAGES, ids=lambda path: path.stem)
def test_a_stage_depends_on_exactly_the_code_it_imports(path):
    deps = {dep for dep in pipeline()[path.stem]["deps"] if dep.startswith(("camtraps/", "stages/"))}
    assert deps == code_deps(path)


@pytest.mark.parametrize("name", collection_files.FOLDERS)
def test_folders_that_stages_depend_on_are_there_in_a_fresh_clone(name):
    # A stage's dependency must exist; git keeps no empty folder.
    assert (ROOT / "data/demo" / name / "README.txt").read_text() == collection_files.FOLDERS[name]


def test_every_stage_runs_as_a_module_and_has_a_file():
    stages = pipeline()
    assert {name: stage["cmd"] for name, stage in stages.items()} == {n: f"python -m stages.{n}" for n in stages}
    assert set(stages) == {path.stem for path in STAGES}


def test_only_the_cheap_report_has_an_output_outside_the_cache():
    uncached = {name for name, stage in pipeline().items() for out in stage["outs"] if isinstance(out, dict)}
    assert uncached == {"report"}


def test_params_yaml_spells_out_every_key():
    written = {section: set(keys) for section, keys in yaml.safe_load((ROOT / "params.yaml").read_text()).items()}
    assert written == {section: {field.name for field in dataclasses.fields(cls)} for section, cls in PARAMS.items()}


def test_no_value_of_params_yaml_needs_quotes():
    # `dvc exp run -S` writes the file anew without them.
    assert not re.search("""["']""", re.sub("#.*", "", (ROOT / "params.yaml").read_text()))


def test_a_stage_names_its_own_params():
    for name, stage in pipeline().items():
        assert set(stage.get("params", [])) <= {"data", name}, name
        source = (ROOT / f"stages/{name}.py").read_text()
        assert (f'"{name}")' in source) == (name in stage.get("params", [])), name
        assert ("collection()" in source) == ("data" in stage.get("params", [])), name


@pytest.mark.parametrize("stage", LIGHT)
def test_a_light_stage_never_imports_torch(stage):
    code = f"import sys, stages.{stage}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_constraints_pin_every_dependency_and_name_no_host():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + [name for extra in project["optional-dependencies"].values() for name in extra]
    pinned = {line.split("==")[0].lower() for line in lines}
    assert not [line for line in lines if "://" in line or " @ " in line or "==" not in line]
    assert {re.split(r"[\[<>=;, ]", name)[0].lower() for name in wanted} <= pinned


def readme_commands() -> list[list[str]]:
    given = "\n".join((ROOT / name).read_text() for name in ("README.md", "docs/scaling.md"))
    blocks = re.findall(r"```(?:bash|sh)\n(.*?)```", given, re.DOTALL)
    text = "\n".join(blocks).replace("\\\n", " ")
    return [shlex.split(line, comments=True) for line in text.splitlines() if shlex.split(line, comments=True)]


def test_the_first_commands_of_the_readme_stand_before_line_20():
    head = (ROOT / "README.md").read_text().splitlines()[:19]
    assert "make demo" in head
    assert "make test" in head


def test_make_targets_of_the_readme_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {command[1] for command in readme_commands() if command[0] == "make"} <= targets


def test_camtraps_commands_of_the_readme_are_understood():
    from camtraps.cli import parser

    commands = [command[1:] for command in readme_commands() if command[0] == "camtraps"]
    assert commands
    for command in commands:
        assert callable(parser().parse_args(command).run)


def test_params_named_in_the_readme_exist():
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    for command in readme_commands():
        for flag, value in itertools.pairwise(command):
            if flag == "-S":
                section, key = value.split("=")[0].split(".")
                assert key in params[section], value


def test_the_file_map_of_the_readme_names_every_module():
    text = (ROOT / "README.md").read_text()
    modules = [path.relative_to(ROOT).as_posix() for path in MODULES if path.name != "__init__.py"]
    assert not [name for name in modules if "/demo/" not in name and f"`{name.removeprefix('camtraps/')}`" not in text]
    assert not [path.name for path in STAGES if f"`{path.name}`" not in text]
