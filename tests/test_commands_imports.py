"""``camtraps import`` for every format, as a user runs it: what it prints, what lies there afterwards."""

import csv
import io
import json
import shlex
import subprocess
import sys
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import make
import pytest
from PIL import ExifTags, Image

from camtraps import cli, collections, recorded, tables
from camtraps.commands import imports
from camtraps.formats import lila_datasets
from camtraps.schema import CATALOG

CATALOG_DIR = "data/mine/catalog"
NEXT = [
    "still missing: data/mine/taxonomy.csv, in the layout of LILA's taxonomy mapping; put it there, or import again "
    "with --taxonomy",
    "still missing: data/mine/label_spec.json; `camtraps labels suggest --name mine --out data/mine/label_spec.json` "
    "proposes one",
]
SEQUENCE = {
    "dataset": "alpha",
    "seq_id": "s1",
    "location": "cam3",
    "class": ["roe deer"],
    "images": [
        {"file": "cam3/1.jpg", "frame_num": 1, "bbox": [{"category": "animal", "bbox": [0.1, 0.2, 0.3, 0.25]}]},
        {"file": "cam3/2.jpg", "frame_num": 2, "bbox": []},
    ],
}


@pytest.fixture(autouse=True)
def top(tmp_path, monkeypatch):
    """Give the top folder of a repository."""
    (tmp_path / "dvc.yaml").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(capsys):
    """Give a function that runs `camtraps import` into the collection `mine`: exit code, lines of stdout, stderr."""

    def attempt(*arguments: str) -> tuple[int, list[str], str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(["import", *arguments, "--name", "mine"])
        printed = capsys.readouterr()
        return ended.value.code or 0, printed.out.splitlines(), printed.err

    return attempt


def rows(dataset: str = "mine") -> list[dict[str, Any]]:
    return tables.read_arrow(Path(f"{CATALOG_DIR}/{dataset}.parquet"), CATALOG).to_pylist()


def labels(dataset: str = "mine") -> dict[str, list[str]]:
    return {row["file"]: [label["class"] for label in row["labels"]] for row in rows(dataset)}


def roots() -> dict[str, str]:
    return collections.read_image_roots(Path("data/mine"))


def photos(folder: str, *files: str) -> str:
    for file in files:
        (Path(folder) / file).parent.mkdir(parents=True, exist_ok=True)
        (Path(folder) / file).write_bytes(make.photo())
    return folder


def write_csv(path: str, *given: dict[str, str]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(dict.fromkeys(name for row in given for name in row)), restval="")
    writer.writeheader()
    writer.writerows(given)
    Path(path).write_text(buffer.getvalue(), encoding="utf-8", newline="")
    return path


def zipped(path: str, member: str, text: str) -> str:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, text)
    return path


def test_cct_says_what_came_in_and_what_is_still_missing(run, top):
    make.write_source(top / "source")
    code, out, err = run("cct", "source/cct.json", "--images", "source/images")
    assert (code, err) == (0, "")
    assert out == [
        "data/mine/catalog/mine.parquet: 12 of 12 photos, 6 boxes, 4 classes, 3 locations, from 2024-04-01 to "
        "2024-04-01",
        *NEXT,
    ]
    assert roots() == {"mine": f"{top}/source/images"}


def test_a_taxonomy_that_knows_other_datasets_is_warned_of(run, top):
    make.write_source(top / "source")
    more = ("--taxonomy", "source/taxonomy.csv", "--label-spec", "source/label_spec.json")
    _, out, _ = run("cct", "source/cct.json", "--images", "source/images", *more)
    assert out[1:] == [
        "warning: data/mine/taxonomy.csv has no row for 4 of 4 classes: deer, empty, fox, null; add rows, or import "
        "with a --dataset that its dataset_name column has: tiny",
        "next: put `name: mine` under `data:` in params.yaml, then `dvc repro`",
        "to version it: dvc add data/mine/catalog data/mine/detections, and git add data/mine",
    ]


def test_photos_in_the_collection_are_found_wherever_it_moves(run, top):
    make.write_source(top / "source")
    (top / "data" / "mine").mkdir(parents=True)
    (top / "source" / "images").rename("data/mine/images")
    assert run("cct", "source/cct.json", "--images", "data/mine/images")[0] == 0
    assert collections.read_datasets(Path("data/mine/datasets.csv"))[0]["images"] == "images"


def test_a_label_specification_of_the_other_form_gives_way(run, top):
    make.write_source(top / "source")
    run("cct", "source/cct.json", "--images", "source/images", "--label-spec", "source/label_spec.json")
    Path("spec.csv").write_text("output_label,type,content\nfox,family,canidae\n")
    _, out, _ = run("cct", "source/cct.json", "--images", "source/images", "--label-spec", "spec.csv")
    assert out[1] == "data/mine/label_spec.csv takes the place of data/mine/label_spec.json, which was removed"


ANIMAL = {"id": "p:1", "file_name": "p/1.jpg", "serving_bucket_key": "original/p-1.jpg", "location": "dep"}
LABEL = {"id": "a1", "image_id": "p:1", "category_id": 1, "bbox": [20, 10, 100, 50], "validated": True}
EXPORT = {
    "images": [ANIMAL | {"datetime": "2024-04-01T05:12:09.000-07:00", "width": 200, "height": 100}],
    "annotations": [LABEL, LABEL | {"id": "a2", "validated": False}],
    "categories": [{"id": 0, "name": "empty"}, {"id": 1, "name": "fox"}],
}


def test_animl_is_read_from_its_bucket_or_from_a_folder(run):
    make.write_json(Path("animl.json"), EXPORT)
    code, out, _ = run("animl", "animl.json")
    assert code == 0
    assert out[:3] == [
        "data/mine/catalog/mine.parquet: 1 of 1 photo, 1 box, 1 class, 1 location, from 2024-04-01 to 2024-04-01",
        "  1 ignored: its label was not validated by a person in Animl (first: annotations[1]: 1)",
        "  each is listed in data/mine/problems/mine.csv",
    ]
    assert (labels(), roots()) == ({"original/p-1.jpg": ["fox"]}, {"mine": "s3://animl-images-serving-prod"})
    photos("animl", "p/1.jpg")
    assert run("animl", "animl.json", "--images", "animl")[0] == 0
    assert labels() == {"p/1.jpg": ["fox"]}


def test_ground_truth_in_the_form_of_megadetector_is_read_from_a_folder(run):
    box = {"category": "1", "conf": 1.0, "bbox": [0.1, 0.1, 0.5, 0.5]}
    image = {"file": "p/1.jpg", "location": "dep", "is_ground_truth": True, "detections": [box]}
    document = {"info": {"detector": "cct_to_md"}, "detection_categories": {"1": "fox"}, "images": [image]}
    make.write_json(Path("truth.json"), document)
    photos("animl", "p/1.jpg")
    assert run("animl", "truth.json", "--images", "animl")[1][0] == (
        "data/mine/catalog/mine.parquet: 1 of 1 photo, 1 box, 1 class, 1 location, 1 without time"
    )


def image_of_lila(dataset: str, folder: str, file: str, label: str, family: str) -> dict[str, str]:
    """Make a row of LILA's table of all images."""
    urls = {f"url_{cloud}": f"{base}/{folder}/{file}" for cloud, base in lila_datasets.BASES.items()}
    ids = {name: f"{dataset} : 1" for name in ("sequence_id", "location_id")}
    said = {"original_label": label, "annotation_level": "image", "family": family}
    return {"dataset_name": dataset, **urls, **ids, "frame_num": "0", "datetime": "04-01-2024 05:12:09", **said}


def dataset_of_lila(name: str, country: str, folder: str, **more: str) -> dict[str, str]:
    """Make a row of LILA's table of datasets."""
    bases = {f"image_base_url_{cloud}": f"{base}/{folder}" for cloud, base in lila_datasets.BASES.items()}
    urls = {f"metadata_url_{cloud}": "" for cloud in lila_datasets.BASES}
    return {"name": name, "short_name": name.split()[0].lower(), "country": country, **bases, **urls, **more}


@pytest.fixture
def all_images():
    """Write LILA's tables: images of two datasets, zipped, and the datasets."""
    given = [
        image_of_lila("Alpha Traps", "alpha/unzipped", "1.jpg", "roe_deer", "cervidae"),
        image_of_lila("Beta Traps", "beta", "1.jpg", "red_fox", "canidae"),
        image_of_lila("Beta Traps", "beta", "1.jpg", "roe_deer", "cervidae"),
        image_of_lila("Beta Traps", "beta", "2.jpg", "empty", ""),
    ]
    write_csv("lila.csv", *given)
    zipped("lila.csv.zip", "lila.csv", Path("lila.csv").read_text())
    datasets = [
        dataset_of_lila("Alpha Traps", "Kenya", "alpha/unzipped"),
        dataset_of_lila("Beta Traps", "Spain", "beta"),
    ]
    write_csv("datasets.csv", *datasets)


def test_all_images_of_lila_become_one_dataset_each(run, all_images):
    code, out, _ = run("lila", "lila.csv.zip")
    assert code == 0
    assert out[0] == (
        "data/mine/catalog/alpha-traps.parquet, data/mine/catalog/beta-traps.parquet: 3 of 3 photos, 0 boxes, "
        "3 classes, 2 datasets, 2 locations, from 2024-04-01 to 2024-04-01"
    )
    assert labels("beta-traps") == {"beta/1.jpg": ["red_fox", "roe_deer"], "beta/2.jpg": ["empty"]}
    assert roots() == dict.fromkeys(["alpha-traps", "beta-traps"], lila_datasets.BASES["gcp"])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--only", "alpha traps"], {"alpha-traps": {"1.jpg": ["roe_deer"]}}),
        (["--only", "alpha"], {"alpha-traps": {"1.jpg": ["roe_deer"]}}),
        (["--country", "Spain", "--taxon", "family:canidae"], {"beta-traps": {"1.jpg": ["red_fox", "roe_deer"]}}),
    ],
)
def test_of_lila_some_datasets_countries_and_taxa_may_be_chosen(run, all_images, options, expected):
    assert run("lila", "lila.csv.zip", "--datasets", "datasets.csv", *options)[0] == 0
    assert {path.stem: labels(path.stem) for path in Path(CATALOG_DIR).iterdir()} == expected
    ((dataset, root),) = roots().items()
    assert root == f"{lila_datasets.BASES['gcp']}/{'alpha/unzipped' if dataset == 'alpha-traps' else 'beta'}"


def test_photos_of_lila_on_the_disk_lie_as_in_its_bucket(run, all_images):
    options = ("lila", "lila.csv.zip", "--datasets", "datasets.csv", "--images", "lila/")
    photos("lila", "alpha/unzipped/1.jpg")
    assert run(*options) == (1, [], "camtraps: lila/beta: image folder not found\n")
    photos("lila", "beta/1.jpg", "beta/2.jpg")
    assert run(*options)[0] == 0
    assert {Path(root).relative_to(Path.cwd()).as_posix() for root in roots().values()} == {
        "lila/alpha/unzipped",
        "lila/beta",
    }


@pytest.fixture
def server(top):
    """Serve the folder ``server``; give its address."""
    (top / "server").mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(top / "server"))) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{made.server_port}"
        made.shutdown()
        thread.join()


@pytest.fixture
def table(server):
    """Write LILA's table of datasets, with the metadata and the results of one of them on the server."""
    document = make.cct() | {"images": [image | {"location": 7} for image in make.cct()["images"]]}
    zipped("server/alpha.json.zip", "alpha_v2.json", json.dumps(document))
    box = {"category": "1", "conf": 0.9, "bbox": [0.25, 0.25, 0.5, 0.5]}
    images = [{"file": "007\\deer.jpg", "detections": [box]}, {"file": "elsewhere.jpg", "detections": []}]
    results = {"info": {"detector": "md_v5a.0.0.pt"}, "detection_categories": {"1": "animal"}, "images": images}
    zipped("server/alpha_mdv5a.zip", "alpha_mdv5a.json", json.dumps(results))
    urls = {"metadata_url_gcp": f"{server}/alpha.json.zip", "mdv5a_results_raw": f"{server}/alpha_mdv5a.zip"}
    urls["mdv5b_results_raw"] = f"{server}/not_there.zip"
    given = [dataset_of_lila("Alpha Traps", "Kenya", "alpha", **urls), dataset_of_lila("Beta Traps", "Spain", "beta")]
    return write_csv("datasets.csv", *given)


def test_a_dataset_of_lila_is_fetched_by_its_name(run, table, work):
    code, out, err = run("lila", table, "--only", "Alpha Traps")
    assert code == 0
    assert out == [
        "data/mine/catalog/alpha-traps.parquet: 12 of 12 photos, 6 boxes, 4 classes, 1 location, from 2024-04-01 to "
        "2024-04-01",
        *NEXT,
    ]
    assert err == ""  # so quickly done that no progress is shown
    assert roots() == {"alpha-traps": f"{lila_datasets.BASES['gcp']}/alpha"}
    assert collections.read_datasets(Path("data/mine/datasets.csv"))[0]["source"] == "alpha.json.zip"
    assert [path.name for path in (work / "downloads").rglob("*.zip")] == ["alpha.json.zip"]


def test_published_results_of_lila_come_in_as_recorded_detections(run, table):
    code, out, _ = run("lila", table, "--only", "alpha", "--results", "mdv5a")
    assert code == 0
    assert out[1:3] == [
        "data/mine/detections/mdv5a/alpha-traps.parquet: results for 1 of 12 photos, 1 box",
        "  1 photo is not in the catalog of alpha-traps (first: elsewhere.jpg)",
    ]
    results = recorded.read(Path("data/mine"), "mdv5a").set_index("image")
    assert results.loc["alpha-traps/007/deer.jpg", "boxes"][0]["confidence"] == 0.9


@pytest.fixture
def tiny(run, top):
    """Import the tiny collection, and write results for two of its photos."""
    make.write_source(top / "source")
    run("cct", "source/cct.json", "--images", "source/images")
    box = {"category": "1", "conf": 0.9, "bbox": [0.25, 0.25, 0.5, 0.5]}
    for name, files in {"one": ["007/deer.jpg"], "two": ["007/deer.jpg", "007/fox.jpg"]}.items():
        images = [{"file": file, "detections": [box] * len(files)} for file in files]
        document = {"info": {"detector": "md_v5a.0.0.pt"}, "detection_categories": {"1": "animal"}, "images": images}
        make.write_json(Path(f"{name}.json"), document)


def test_several_files_of_detections_are_merged_and_replaced_when_asked(run, tiny):
    path = "data/mine/detections/md_v5a.0.0.pt/mine.parquet"
    code, out, err = run("detections", "one.json", "two.json")
    assert (code, err) == (0, "")
    assert out == [
        f"{path}: results for 2 of 12 photos, 3 boxes",
        "  1 result left out, because another one of the same photo comes first",
    ]
    assert run("detections", "two.json", "--replace")[1] == [f"{path}: results for 2 of 12 photos, 4 boxes"]
    assert run("detections", "one.json")[1][1:] == [
        "  1 photo is recorded already, and not changed; --replace takes the new results"
    ]


@pytest.mark.parametrize("job", ["0f3c-5a", "job_0f3c5a"])
@pytest.mark.parametrize("options", [[], ["--format", "response"]])
def test_the_answer_of_a_finished_task_brings_its_results(run, tiny, server, monkeypatch, job, options):  # D8
    for name in ("BATCH_DETECTION_API_URL", "DETECTION_API_CALLER", "CLASSIFICATION_BLOB_CONTAINER"):
        monkeypatch.delenv(name, raising=False)
    path = Path("server") / job / "0f_detections_mine_2021.json"
    path.parent.mkdir()
    Path("two.json").rename(path)
    url = f"{server}/{job}/{path.name}?sig=secret"
    message = {"num_failed_shards": 1, "output_file_urls": {"detections": url}}
    task = {"TaskId": "0f3c-5a", "Status": {"request_status": "completed", "message": message}}
    make.write_json(Path("answer.json"), task)
    code, out, _ = run("detections", "answer.json", *options, "--version", "v4.1")
    assert code == 0
    assert out == [
        "data/mine/detections/v4.1/mine.parquet: results for 2 of 12 photos, 4 boxes",
        "warning: answer.json: 1 shard of photos failed, which have no results",
    ]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["none.json"], "none.json: not found; check the path"),
        (["one.json", "--format", "response"], "one.json: expected the answer of a task, with an object 'Status', got"),
        (["answer.json"], "answer.json: the task has no results: 'no images'; did it match any photo?"),  # D11
        (["answer.json", "--format", "detections"], "answer.json: key 'info' is missing; "),
        (["one.json", "--dataset", "other"], "data/mine/catalog/other.parquet: not found; bring the dataset in"),
    ],
)
def test_what_is_no_file_of_detections_is_refused(run, tiny, options, said):
    make.write_json(Path("answer.json"), {"Status": {"request_status": "completed", "message": "no images"}})
    code, out, err = run("detections", *options)
    assert (code, out, err.count("\n")) == (1, [], 1)
    assert err.startswith(f"camtraps: {said}")
    assert not list(Path("data/mine/detections").iterdir())


def test_what_was_fetched_is_not_fetched_again(run, table, work):
    run("lila", table, "--only", "alpha")
    (fetched,) = (work / "downloads").glob("*/alpha.json.zip")
    before = fetched.stat().st_mtime_ns
    run("lila", table, "--only", "alpha")
    assert fetched.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "datasets.csv is LILA's table of datasets: choose of them with --only or --country"),
        (
            ["--only", "Alpha Trap"],
            "dataset 'Alpha Trap' is not in LILA's table of datasets; did you mean Alpha Traps or Beta Traps?",
        ),
        (["--only", "beta"], "datasets.csv: has no metadata_url_gcp of Beta Traps"),
        (["--only", "alpha", "--cloud", "aws"], "datasets.csv: has no metadata_url_aws of Alpha Traps"),
        (["--only", "alpha", "--results", "rde"], "--results: LILA has no rde of Alpha Traps; there are: mdv5a, mdv5b"),
        (
            ["--only", "alpha", "--results", "mdv5b"],
            "SERVER/not_there.zip: cannot be downloaded: no such file",
        ),
        (
            ["--only", "alpha", "--datasets", "datasets.csv"],
            "--datasets: has no effect, since datasets.csv is LILA's table of datasets itself",
        ),
        (
            ["--only", "alpha", "--taxon", "family:canidae"],
            "--taxon: needs LILA's table of all images, which has the taxa of each photo",
        ),
        (["--only", "alpha", "--images", "lila"], "lila/alpha: image folder not found"),
    ],
)
def test_what_of_lila_cannot_be_fetched_is_refused(run, table, server, options, said):
    code, out, err = run("lila", table, *options)
    lines = [line for line in err.splitlines() if line and not line.startswith("downloading")]
    assert (code, out, lines) == (1, [], [f"camtraps: {said}".replace("SERVER", server)])
    assert not Path("data").exists()


def test_results_of_lila_need_its_table_of_datasets(run, all_images):
    said = "--results: needs --datasets, LILA's table of datasets, which says where results lie"
    assert run("lila", "lila.csv.zip", "--results", "mdv5a") == (1, [], f"camtraps: {said}\n")


@pytest.fixture
def package(top):
    """Write a Camtrap DP package of a fox and an empty photo, with its photos."""
    texts = {
        "deployments": "deploymentID,locationID,locationName,latitude,longitude\nd1,007,,52.5,13.25\n",
        "media": "mediaID,deploymentID,timestamp,filePath,fileMediatype\n"
        "m1,d1,2024-04-01T05:00:00Z,a/1.jpg,image/jpeg\nm2,d1,2024-04-01T05:00:10Z,a/2.jpg,image/jpeg\n",
        "observations": "observationID,deploymentID,mediaID,eventID,eventStart,eventEnd,observationLevel,"
        "observationType,scientificName,classificationMethod\n"
        "o1,d1,m1,,,,media,animal,Vulpes vulpes,human\no2,d1,m2,,,,media,blank,,human\n",
    }
    photos("package", "a/1.jpg", "a/2.jpg")
    for name, text in texts.items():
        Path(f"package/{name}.csv").write_text(text)
    resources = [{"name": name, "path": f"{name}.csv"} for name in texts]
    make.write_json(Path("package/datapackage.json"), {"resources": resources})
    with zipfile.ZipFile("package.zip", "w") as archive:
        for name in ("datapackage.json", *(f"{name}.csv" for name in texts)):
            archive.write(f"package/{name}", name)


@pytest.mark.parametrize(
    "arguments", [["package"], ["package/datapackage.json"], ["package.zip", "--images", "package"]]
)
def test_a_camtrap_data_package_may_be_a_folder_its_description_or_a_zip(run, top, package, arguments):
    code, out, _ = run("camtrap-dp", *arguments)
    assert code == 0
    assert out[0].endswith(": 2 of 2 photos, 0 boxes, 2 classes, 1 location, from 2024-04-01 to 2024-04-01")
    assert labels() == {"a/1.jpg": ["Vulpes vulpes"], "a/2.jpg": ["empty"]}
    assert roots() == {"mine": f"{top}/package"}
    assert Path("data/mine/locations.csv").read_text() == ("dataset,location,latitude,longitude\nmine,007,52.5,13.25\n")


def test_a_zipped_package_without_its_photos_asks_where_they_are(run, package):
    said = "camtraps: package.zip: say with --images where the photos of the package are\n"
    assert run("camtrap-dp", "package.zip") == (1, [], said)


def test_sequences_of_megadb_have_their_photos_in_a_folder_or_a_container(run, top):
    make.write_json(Path("sequences.json"), [SEQUENCE])
    photos("megadb/alpha", "cam3/1.jpg", "cam3/2.jpg")
    _, out, _ = run("megadb", "sequences.json", "--images", "megadb")
    assert out[0] == "data/mine/catalog/alpha.parquet: 2 of 2 photos, 1 box, 1 class, 1 location, 2 without time"
    assert roots() == {"alpha": f"{top}/megadb/alpha"}
    storage = {"dataset_name": "alpha", "storage_account": "acct", "container": "cont", "path_prefix": "2024"}
    make.write_json(Path("datasets.json"), [storage])
    assert run("megadb", "sequences.json", "--datasets", "datasets.json")[0] == 0
    assert sorted(labels("alpha")) == ["2024/cam3/1.jpg", "2024/cam3/2.jpg"]
    assert roots() == {"alpha": "https://acct.blob.core.windows.net/cont"}


def test_sequences_of_megadb_without_a_place_of_photos_are_refused(run):
    make.write_json(Path("sequences.json"), [SEQUENCE])
    said = "camtraps: sequences.json: say with --images or --datasets where the photos are\n"
    assert run("megadb", "sequences.json") == (1, [], said)


def test_queried_images_lie_in_one_folder_a_dataset(run):
    box = {"category": "animal", "bbox": [0.1, 0.2, 0.3, 0.25]}
    image = {"dataset": "alpha", "location": "cam3", "class": "roe deer", "label": ["cervid"], "bbox": [box]}
    make.write_json(Path("queried.json"), {"alpha/cam3/1.jpg": image})
    photos("crops/alpha", "cam3/1.jpg")
    _, out, _ = run("queried-images", "queried.json", "--images", "crops")
    assert out[0] == "data/mine/catalog/alpha.parquet: 1 of 1 photo, 1 box, 1 class, 1 location, 1 without time"


def test_a_table_of_timelapse_is_understood_by_its_headers(run):
    lines = ["RelativePath,File,DateTime,Species,Site", "cam3,1.jpg,2024-04-01 05:00:00,fox,007"]
    lines += ["cam3,1.jpg,2024-04-01 05:00:00,deer,007", "cam3,2.jpg,2024-04-01 05:00:10,,007"]
    Path("photos.csv").write_text("\n".join(lines) + "\n")
    photos("images", "cam3/1.jpg", "cam3/2.jpg")
    _, out, _ = run("csv", "photos.csv", "--images", "images")
    assert out[0].endswith(
        ": 2 of 2 photos, 0 boxes, 2 classes, 1 location, from 2024-04-01 to 2024-04-01, 1 without label"
    )
    assert [(row["sequence"], row["frame"]) for row in rows()] == [
        ("007 2024-04-01T05:00:00", 0),
        ("007 2024-04-01T05:00:00", 1),
    ]


def test_columns_of_a_table_may_have_any_name_and_boxes_be_in_pixels(run):
    Path("photos.csv").write_text("Bild;Art;l;o;b;h;width;height\n1.jpg;Fuchs;20;10;100;50;200;100\n")
    photos("images", "1.jpg")
    names = ("file=Bild", "label=Art", "x=l", "y=o", "w=b", "h=h")
    columns = [text for name in names for text in ("--column", name)]
    assert run("csv", "photos.csv", "--images", "images", "--pixels", *columns)[0] == 0
    box = {"category": "animal", "class": "Fuchs", "x": 0.1, "y": 0.1, "w": 0.5, "h": 0.5}
    assert rows()[0]["boxes"] == [box]


def test_folders_say_location_and_label_and_photos_their_time(run):
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2024:04:01 05:00:00"
    for file in ("007/fox/1.jpg", "NA/deer/2.jpg"):
        Path("photos", file).parent.mkdir(parents=True)
        Image.new("RGB", (8, 4)).save(Path("photos", file), exif=exif)
    Path("photos/notes.txt").touch()
    code, out, _ = run("folders", "photos", "--pattern", "{location}/{label}/{file}")
    assert code == 0
    assert out[:3] == [
        "data/mine/catalog/mine.parquet: 2 of 2 photos, 0 boxes, 2 classes, 2 locations, from 2024-04-01 to 2024-04-01",
        "  1 skipped: not a photo (first: notes.txt)",
        "  each is listed in data/mine/problems/mine.csv",
    ]
    assert [(row["location"], row["width"]) for row in rows()] == [("007", 8), ("NA", 8)]


def test_photos_that_do_not_match_the_pattern_are_unusable(run):
    photos("photos", "a/fox/1.jpg", "a/2.jpg")
    code, out, err = run("folders", "photos", "--pattern", "{location}/{label}/{file}")
    assert (code, out) == (1, [])
    assert err.splitlines()[-1] == (
        "camtraps: photos: of 2 photos, 1 unusable, more than 1.0%; first: a/2.jpg: path does not match the pattern "
        "{location}/{label}/{file}; mend them or raise --max-failed"
    )


@pytest.mark.parametrize(("gap", "expected"), [("30s", 1), ("5s", 2), ("0", 0)])
def test_the_longest_pause_in_a_sequence_may_be_chosen(run, gap, expected):
    Path("photos.csv").write_text("file,label,site,time\n1.jpg,,a,2024-04-01 05:00\n".replace("time", "datetime"))
    with Path("photos.csv").open("a") as file:
        file.write("2.jpg,,a,2024-04-01 05:00:10\n")
    photos("images", "1.jpg", "2.jpg")
    assert run("csv", "photos.csv", "--images", "images", "--sequence-gap", gap)[0] == 0
    assert len({row["sequence"] for row in rows()} - {None}) == expected


@pytest.mark.parametrize(("option", "month"), [("--day-first", 4), ("--month-first", 3)])
def test_what_comes_first_in_a_date_may_be_said(run, option, month):
    Path("photos.csv").write_text("file,label,datetime\n1.jpg,fox,03/04/2024 05:00\n")
    photos("images", "1.jpg")
    assert run("csv", "photos.csv", "--images", "images", option)[0] == 0
    assert rows()[0]["datetime"].month == month


def test_the_help_of_import_has_examples_that_are_understood(capsys):
    parser = cli.parser()
    commands = imports.EXAMPLES.replace("\\\n", "").splitlines()
    formats = [parser.parse_args(shlex.split(line)[1:]) for line in commands if line.startswith("  camtraps ")]
    assert len(formats) == 9


def test_the_command_line_loads_no_heavy_module():
    code = "import sys, camtraps.cli; sys.exit(bool({'pandas', 'duckdb', 'pyarrow', 'torch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
