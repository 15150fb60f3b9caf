"""The JSON form of a label specification: ``{label: {dataset_labels, taxa, exclude, max_count, prioritize}}``."""

import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from camtraps.errors import InputError, raise_all
from camtraps.files import once_each, read_json
from camtraps.label_rules import (
    LARGEST_COUNT,
    LabelRule,
    Rules,
    TaxonRule,
    by_dataset,
    grouped,
    is_groups,
    is_texts,
    merged,
    name_problems,
    sampling_problems,
)
from camtraps.taxonomy import Pair, fold, fold_dataset

EXCLUDE_KEYS = ("taxa", "dataset_labels")
KEYS = (*EXCLUDE_KEYS, "exclude", "max_count", "prioritize")


def read(path: Path, remedy: str) -> Rules:
    """Read a JSON file; ``remedy`` says what to do where it is not there. Errors as of `label_specs.read`."""
    given = read_json(path, remedy, make_object=once_each)
    if not isinstance(given, dict) or not given:
        raise InputError(f"{path}: expected {{label: specification}} with at least one label, got {given!r}"[:300])
    try:
        json.dumps(given, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise InputError(f"{path}: half of a character (\\ud800 to \\udfff) is no text; write the whole one") from None
    problems = list(name_problems(("", label.strip()) for label in given))
    rules = tuple(_rule(label.strip(), spec, _shown(label), KEYS, problems) for label, spec in given.items())
    raise_all(path, problems)
    return rules


def document(rules: Rules) -> dict[str, dict[str, Any]]:
    """Give rules as JSON values; keys that say nothing are left out."""
    return {rule.label: _spec(rule) for rule in rules}


def _spec(rule: LabelRule) -> dict[str, Any]:
    taxa = [
        {"level": taxon.level, "name": taxon.name}
        | ({} if taxon.datasets is None else {"datasets": list(taxon.datasets)})
        for taxon in rule.taxa
    ]
    spec = {
        "dataset_labels": by_dataset(rule.dataset_labels),
        "taxa": taxa,
        "exclude": rule.exclude and _spec(rule.exclude),
        "max_count": rule.max_count,
        "prioritize": [list(group) for group in rule.prioritize],
    }
    return {key: value for key, value in spec.items() if value}


def _rule(label: str, spec: Any, place: str, keys: tuple[str, ...], problems: list[str]) -> LabelRule:
    if not isinstance(spec, dict):
        problems.append(f"{place}: expected keys {', '.join(keys)}, got {spec!r}"[:200])
        return LabelRule(label)
    for key in spec:
        if key not in keys:
            near = difflib.get_close_matches(key, keys, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(keys)}"
            problems.append(f"{place}.{_shown(key)}: unknown key; {hint}")
    if not spec.get("taxa") and not spec.get("dataset_labels"):
        problems.append(f"{place}: needs taxa or dataset_labels")
    exclude = spec.get("exclude")
    max_count, prioritize = _sampling(spec, place, problems)
    rule = LabelRule(
        label,
        taxa=_taxa(spec.get("taxa", []), f"{place}.taxa", problems),
        dataset_labels=_dataset_labels(spec.get("dataset_labels", {}), f"{place}.dataset_labels", problems),
        exclude=None if exclude is None else _rule(label, exclude, f"{place}.exclude", EXCLUDE_KEYS, problems),
        max_count=max_count,
        prioritize=prioritize,
    )
    problems += sampling_problems(rule, place)
    return rule


def _taxa(given: Any, place: str, problems: list[str]) -> tuple[TaxonRule, ...]:
    rules = []
    for at, taxon in enumerate(given if isinstance(given, list) else [given]):
        if not _is_taxon(taxon):
            problems.append(f"{place}[{at}]: expected {{level, name, datasets?}}, got {taxon!r}"[:200])
            continue
        datasets = taxon.get("datasets")
        names = None if datasets is None else _datasets(datasets, f"{place}[{at}].datasets", problems)
        rules.append(TaxonRule(fold(taxon["level"]), fold(taxon["name"]), names))
    return merged(rules)


def _is_taxon(taxon: Any) -> bool:
    return (
        isinstance(taxon, dict)
        and set(taxon) <= {"level", "name", "datasets"}
        and all(isinstance(taxon.get(key), str) and bool(taxon[key].strip()) for key in ("level", "name"))
        and (taxon.get("datasets") is None or is_texts(taxon["datasets"]))
    )


def _datasets(names: list[str], place: str, problems: list[str]) -> tuple[str, ...]:
    """Fold dataset names, of which there must be one."""
    if not names or not all(map(fold_dataset, names)):
        problems.append(f"{place}: expected names of datasets, got {names!r}"[:200])
    return tuple(dict.fromkeys(fold_dataset(name) for name in names))


def _dataset_labels(given: Any, place: str, problems: list[str]) -> tuple[Pair, ...]:
    if not isinstance(given, Mapping) or not all(is_texts(labels) for labels in given.values()):
        problems.append(f"{place}: expected {{dataset: [label, ...]}}, got {given!r}"[:200])
        return ()
    pairs = [(fold_dataset(dataset), fold(label)) for dataset, labels in given.items() for label in labels]
    if not all(dataset and label for dataset, label in pairs):
        problems.append(f"{place}: a dataset or label is empty in {given!r}"[:200])
    return grouped(pairs)


def _sampling(spec: dict[str, Any], place: str, problems: list[str]) -> tuple[int | None, tuple[tuple[str, ...], ...]]:
    max_count, prioritize = spec.get("max_count"), spec.get("prioritize", [])
    if max_count is not None and (type(max_count) is not int or not 0 < max_count <= LARGEST_COUNT):
        problems.append(f"{place}.max_count: expected a whole number above 0, got {max_count!r}"[:200])
    return max_count, _groups(prioritize, f"{place}.prioritize", problems)


def _groups(given: Any, place: str, problems: list[str]) -> tuple[tuple[str, ...], ...]:
    if not is_groups(given):
        problems.append(f"{place}: expected [[dataset, ...], ...], got {given!r}"[:200])
        return ()
    return tuple(_datasets(group, place, problems) for group in given)


def _shown(key: str) -> str:
    return key if key.isprintable() else repr(key)  # a message is one line
