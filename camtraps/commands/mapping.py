"""``camtraps map-categories`` and ``aggregate``: classes of a classifier made those that are wanted."""

import argparse
from pathlib import Path

from camtraps.commands.common import Commands, check_out, say
from camtraps.errors import raise_all

MAP = """example:
  camtraps map-categories ours.json megaclassifier_label_spec.json taxonomy.csv -i index_to_name.json \\
      --output target_mapping.json

Writes {target: [classes]}: the classes whose taxa are wholly in those of the target. What is in no target goes to
`other`. Targets without a class stay, with an empty list.
"""
AGGREGATE = """example:
  camtraps aggregate crops.csv.gz --target-mapping target_mapping.json --output-csv targets.csv.gz \\
      --output-label-index target_index.json

`label` and `weight`, as evaluation files have them, are kept; a label becomes the target of its class.
"""


def add(commands: Commands) -> None:
    """Add the commands."""
    form = argparse.RawDescriptionHelpFormatter
    text = "find which classes of a classifier make up the labels that are wanted"
    parser = commands.add_parser("map-categories", help=text, epilog=MAP, formatter_class=form)
    spec = "label specification (.json or .csv)"
    parser.add_argument("desired", type=Path, metavar="DESIRED_SPEC", help=f"{spec} of what is wanted")
    parser.add_argument("classifier", type=Path, metavar="CLASSIFIER_SPEC", help=f"{spec} of the classifier")
    parser.add_argument("taxonomy", type=Path, metavar="TAXONOMY", help="taxonomy table (CSV)")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="JSON", help="the mapping to write")
    index = "names of the classifier's outputs, where it has not learned all of its specification"
    parser.add_argument("-i", "--classifier-label-index", type=Path, metavar="JSON", help=index)
    parser.set_defaults(run=_map)
    text = "add up the probabilities of the classes that make up each label"
    parser = commands.add_parser("aggregate", help=text, epilog=AGGREGATE, formatter_class=form)
    parser.add_argument("results", type=Path, metavar="CSV", help="probabilities of crops; also .csv.gz")
    mapping = "{target: [classes]}, as map-categories writes it"
    parser.add_argument("-t", "--target-mapping", type=Path, required=True, metavar="JSON", help=mapping)
    parser.add_argument("-o", "--output-csv", type=Path, required=True, metavar="CSV", help="the file to write")
    index = "label index of the targets, to write"
    parser.add_argument("-i", "--output-label-index", type=Path, required=True, metavar="JSON", help=index)
    parser.set_defaults(run=_aggregate)


def _map(options: argparse.Namespace) -> int:
    from camtraps import label_specs, outputs, taxonomy
    from camtraps.files import write_json
    from camtraps.mapping import map_categories

    check_out(options.output)
    targets, classes = label_specs.read(options.desired), label_specs.read(options.classifier)
    index = options.classifier_label_index
    trained = outputs.read_classes(index) if index else None
    found = map_categories(targets, classes, taxonomy.read(options.taxonomy), trained)
    say(*(f"warning: {line}" for line in found.warnings))
    raise_all(options.classifier, found.problems)
    write_json(options.output, found.pools)
    num_classes = sum(map(len, found.pools.values()))
    say(f"{options.output}: {num_classes:,} classes in {len(found.pools):,} targets")
    return 0


def _aggregate(options: argparse.Namespace) -> int:
    from camtraps import foreign, outputs
    from camtraps.aggregation import aggregate_file

    check_out(options.output_csv)
    check_out(options.output_label_index)
    pools = foreign.read_mapping(options.target_mapping)
    say(*aggregate_file(options.results, pools, options.target_mapping, options.output_csv))
    outputs.write_classes([*pools], options.output_label_index)
    return 0
