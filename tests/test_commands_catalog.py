import argparse
import json
import shutil

import make
import pandas as pd
import pytest

from camtraps.commands import catalog
from camtraps.errors import InputError

PARAMS = "data:\n  name: tiny\n  label_spec: label_spec.json\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The tiny collection in a repository."""
    folder = tmp_path_factory.mktemp("made")
    make.write_collection(folder)
    (folder / "dvc.yaml").touch()
    (folder / "params.yaml").write_text(PARAMS)
    return folder


@pytest.fixture
def repository(made, monkeypatch):
    monkeypatch.chdir(made)
    return made


@pytest.fixture
def ask(repository, capsys):
    """Ask a question as on the command line; give the lines of the answer."""

    def run(*arguments):
        parser = argparse.ArgumentParser()
        catalog.add(parser.add_subparsers())
        options = parser.parse_args(["catalog", *arguments])
        assert options.run(options) == 0
        return capsys.readouterr().out.splitlines()

    return run


def test_the_summary_is_a_few_tables_for_people(ask, repository):
    images = str(repository / "source/images")
    assert ask("summary") == [
        "data/tiny: 1 dataset, 12 photos",
        "",
        "dataset  photos  with labels  of the image  of the sequence  without  classes",
        "tiny         12           12            12                0        0        4",
        "",
        "dataset  with boxes  confirmed empty  not boxed  animal boxes  person boxes  vehicle boxes  group boxes",
        "tiny              6                0          6             6             0              0            0",
        "",
        "dataset  locations  photos without  sequences  first       last        without time",
        "tiny             3               0         12  2024-04-01  2024-04-01             0",
        "",
        f"dataset  corrupt  formats  {'images':{len(images)}}  source",
        f"tiny           0  jpg 12   {images}  cct.json",
        "",
        "recorded detections: none",
        "corrections: 0 photos",
    ]


def test_several_datasets_have_a_total(repository, ask):
    shutil.copytree("data/tiny", "data/two")
    more = make.row("more/x.jpg", "deer", boxes=[])
    make.database(repository / "data/two/catalog", more)
    answer = ask("summary", "--name", "two")
    assert answer[:5] == [
        "data/two: 2 datasets, 13 photos",
        "",
        "dataset  photos  with labels  of the image  of the sequence  without  classes",
        "more          1            1             1                0        0        1",
        "tiny         12           12            12                0        0        4",
    ]
    assert answer[5] == "total        13           13            13                0        0        4"


def test_the_summary_can_be_read_by_programs(ask):
    (row,) = json.loads("\n".join(ask("summary", "--format", "json")))
    wanted = {"dataset": "tiny", "photos": 12, "boxes_animal": 6, "first": "2024-04-01", "source": "cct.json"}
    assert {name: row[name] for name in wanted} == wanted


def test_labels_come_with_their_taxon(ask):
    assert ask("labels", "--top", "2") == [
        "class  photos  image_level  sequence_level  boxes  locations  datasets  first       last        taxon",
        "deer        3            3               0      3          3         1  2024-04-01  2024-04-01  "
        "capreolus capreolus",
        "empty       3            3               0      0          3         1  2024-04-01  2024-04-01  none",
    ]


def test_labels_by_dataset_as_csv(ask):
    answer = ask("labels", "--by-dataset", "--dataset", "tiny", "--format", "csv")
    assert answer[0] == "class,dataset,photos,image_level,sequence_level,boxes,locations,first,last,taxon"
    assert answer[-1] == "null,tiny,3,3,0,0,3,2024-04-01,2024-04-01,sus scrofa"


def test_a_collection_without_taxonomy_has_no_taxon(repository, ask):
    shutil.copytree("data/tiny", "data/bare")
    (repository / "data/bare/taxonomy.csv").unlink()
    assert "taxon" not in ask("labels", "--name", "bare")[0]


def test_locations_are_text(ask):
    assert ask("locations", "--top", "2") == [
        "location  dataset  photos  sequences  classes  commonest  first       last",
        "007       tiny          4          4        4  deer       2024-04-01  2024-04-01",
        "NA        tiny          4          4        4  deer       2024-04-01  2024-04-01",
    ]


def test_locations_of_a_class_with_coordinates(repository, ask):
    shutil.copytree("data/tiny", "data/placed")
    (repository / "data/placed/locations.csv").write_text("dataset,location,latitude,longitude\ntiny,NA,1.50,-70\n")
    assert ask("locations", "--label", "fox", "--name", "placed", "--format", "csv") == [
        "location,dataset,photos,of_photos,sequences,first,last,latitude,longitude",
        "007,tiny,1,4,1,2024-04-01,2024-04-01,,",
        "NA,tiny,1,4,1,2024-04-01,2024-04-01,1.50,-70",
        "north,tiny,1,4,1,2024-04-01,2024-04-01,,",
    ]


def test_a_sample_has_image_path_class_and_time(ask, repository):
    line = f"tiny/007/deer.jpg\t{repository}/source/images/007/deer.jpg\tdeer\t2024-04-01 05:00:00"
    assert ask("sample", "9", "--label", "Deer", "--location", "007", "--dataset", "tiny") == [line]


def test_a_sample_of_paths_is_only_paths(ask, repository):
    answer = ask("sample", "2", "--paths", "--seed", "3")
    assert len(answer) == 2
    assert all(line.startswith(f"{repository}/source/images/") for line in answer)


def test_a_class_that_is_not_there_is_answered_with_the_nearest(ask):
    with pytest.raises(InputError) as error:
        ask("sample", "1", "--label", "dear")
    assert str(error.value) == "the catalog has no class 'dear'; the nearest: 'deer', 'empty', 'fox'"


@pytest.mark.parametrize("number", ["0", "-1", "x", "1.5", "٣", "9" * 5000])
def test_a_number_of_photos_is_at_least_one(ask, capsys, number):
    with pytest.raises(SystemExit):
        ask("sample", "--", number)
    assert f"argument N: expected a whole number above 0, got {number!r}" in capsys.readouterr().err


def test_a_statement_that_is_not_unicode_is_refused(ask, capsys):
    with pytest.raises(SystemExit):
        ask("sql", "select '\udc80'")
    assert "argument SELECT: not Unicode text: " in capsys.readouterr().err


def test_a_table_of_sql_says_how_many_rows_there_are_more(ask):
    assert ask("sql", "select file, year(datetime) as year from photos order by file", "--limit", "2") == [
        "file           year",
        "007/deer.jpg   2024",
        "007/empty.jpg  2024",
        "... and 10 more; --limit N shows more of them, --format csv all",
    ]


def test_a_table_of_sql_may_be_empty_or_name_columns_twice(ask):
    assert ask("sql", "select file, corrupt from photos where false") == ["file  corrupt"]
    assert ask("sql", "select 1 as a, null as a, corrupt from photos limit 1") == ["a  a  corrupt", "1  -  no"]


def test_sql_as_csv_has_all_rows_and_texts_as_they_are(ask):
    statement = "select distinct location, null as nothing, ['a', 'b,c'] as list from photos order by all"
    assert ask("sql", statement, "--format", "csv") == [
        "location,nothing,list",
        '007,,"[""a"", ""b,c""]"',
        'NA,,"[""a"", ""b,c""]"',
        'north,,"[""a"", ""b,c""]"',
    ]
    assert len(ask("sql", "from range(250)", "--format", "csv")) == 251
    assert len(ask("sql", "from range(250)", "--format", "csv", "--limit", "7")) == 8


def test_sql_as_json_is_json(ask):
    statement = "select sum(range) as s, 'nan'::double as n, date '2024-01-02' as d, {'a': [1.5]} as x from range(4)"
    text = "\n".join(ask("sql", statement, "--format", "json"))
    assert json.loads(text) == [{"s": 6, "n": None, "d": "2024-01-02", "x": {"a": [1.5]}}]
    assert json.loads("\n".join(ask("sql", "from range(3)", "--format", "json"))) == [{"range": at} for at in range(3)]
    assert ask("sql", "from range(0)", "--format", "json") == ["[]"]


def test_json_refuses_columns_that_stand_twice(ask):
    with pytest.raises(InputError) as error:
        ask("sql", "select 1 as a, 2 as a", "--format", "json")
    assert str(error.value) == "column 'a' stands twice, which JSON cannot hold; rename one with AS"


def test_tables_of_the_run_belong_to_the_collection_of_params_yaml(repository, ask):
    (repository / "data/crops").mkdir()
    pd.DataFrame({"label": ["cervid"]}).to_parquet("data/crops/crops.parquet")
    shutil.copytree("data/tiny", "data/other")
    assert ask("sql", "from crops") == ["label", "cervid"]
    with pytest.raises(InputError, match="Table with name crops does not exist"):
        ask("sql", "from crops", "--name", "other")
