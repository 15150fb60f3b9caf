"""LILA's table of datasets: addresses, countries and image roots."""

import pytest

from camtraps.errors import InputError
from camtraps.formats import lila_datasets

GCP = "https://storage.googleapis.com/public-datasets-lila"
AWS = "http://us-west-2.opendata.source.coop.s3.amazonaws.com/agentmorris/lila-wildlife"
AZURE = "https://lilawildlife.blob.core.windows.net/lila-wildlife"
ALPHA, BETA = "Alpha Traps", "Beta : Traps"
DATASETS = "name,country," + ",".join(
    f"{kind}_{cloud}" for kind in ("image_base_url", "metadata_url") for cloud in lila_datasets.BASES
)


@pytest.fixture
def known(tmp_path):
    path = tmp_path / "datasets.csv"
    path.write_text(
        "name,short_name,continent,country,region,mdv5a_results_raw,md_results_with_rde,"
        + ",".join(
            f"{kind}_{cloud}"
            for kind in ("image_base_url", "metadata_url", "bbox_url")
            for cloud in lila_datasets.BASES
        )
        + f"\n{ALPHA},alpha,Africa,Kenya,,https://lila.science/a_mdv5a.zip,nan,"
        + f"{GCP}/alpha-unzipped,{AWS}/alpha-unzipped,{AZURE}/alpha-unzipped,{GCP}/a.json.zip,{AWS}/a.json.zip,NaN,,,"
        + f'\n{BETA},beta,Europe,"Spain, Portugal",,,,'
        + f"{GCP}/b/2,{AWS}/b/2,{AZURE}/b/2,{GCP}/b.zip,{AWS}/b.zip,{AZURE}/b.zip,{GCP}/bb.zip,,\n,,,,,,,,,,,,,,,\n"
    )
    return lila_datasets.read_datasets(path)


def test_the_table_of_datasets_gives_addresses(known):
    assert list(known) == ["alpha-traps", "beta-traps"]
    alpha, beta = known.values()
    assert lila_datasets.metadata_url(alpha, "aws") == f"{AWS}/a.json.zip"
    assert lila_datasets.metadata_url(alpha, "azure") is None
    assert (lila_datasets.boxes_url(alpha, "gcp"), lila_datasets.boxes_url(beta, "gcp")) == (None, f"{GCP}/bb.zip")
    assert lila_datasets.results_url(alpha, "mdv5a") == "https://lila.science/a_mdv5a.zip"
    assert [lila_datasets.results_url(alpha, kind) for kind in ("rde", "mdv4", "mdv5b")] == [None] * 3
    assert [each.name for each in lila_datasets.choose(known, countries=["portugal", "kenya"])] == [ALPHA, BETA]


def test_roots_are_the_image_bases_of_the_cloud(known):
    assert lila_datasets.roots(["alpha-traps", BETA], "aws", known) == {
        "alpha-traps": f"{AWS}/alpha-unzipped",
        BETA: f"{AWS}/b/2",
    }
    assert lila_datasets.roots(["alpha-traps"], "gcp") == {"alpha-traps": GCP}
    with pytest.raises(InputError, match=r"^dataset 'gamma' is not in LILA's table of datasets; "):
        lila_datasets.roots(["gamma"], "gcp", known)


def test_problems_of_the_table_of_datasets_are_told_together(tmp_path):
    path = tmp_path / "datasets.csv"
    path.write_text(f"{DATASETS}\nA b,x,https://a,,,,,\na-B,x,/data,,,,,\n")
    with pytest.raises(InputError) as caught:
        lila_datasets.read_datasets(path)
    assert str(caught.value) == (
        f"{path}: line 3: dataset 'a-B' stands twice; line 3: image_base_url_gcp is no web address: '/data'"
    )


def test_a_dataset_without_a_base_on_the_cloud_has_no_root(tmp_path):
    path = tmp_path / "datasets.csv"
    path.write_text(f"{DATASETS}\nA b,x,https://a/,,,,,\n")
    known = lila_datasets.read_datasets(path)
    assert lila_datasets.root("a-b", "gcp", known) == "https://a"
    with pytest.raises(InputError) as caught:
        lila_datasets.root("a-b", "aws", known)
    assert str(caught.value) == "dataset 'A b': LILA's table of datasets has no image_base_url_aws of it"


@pytest.mark.parametrize(
    ("name", "known", "expected"),
    [
        ("deer", ["Dear", "fox"], "did you mean Dear?"),
        ("x", ["b", "a"], "there are a, b"),
        ("x", [], "there are none"),
        (
            "x",
            [f"n{at:02}" for at in range(22)],
            "there are " + ", ".join(f"n{at:02}" for at in range(20)) + " and 2 more",
        ),
    ],
)
def test_the_nearest_names_are_named(name, known, expected):
    assert lila_datasets.nearest(name, known) == expected
