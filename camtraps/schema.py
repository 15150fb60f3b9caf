"""The tables that cross a stage: columns, types and keys.

All keys are text: ``image`` is ``<dataset>/<file>``, and a location ``007`` or a class ``NA`` stays what it is. Boxes
are relative to the upright image (EXIF orientation applied): x, y of the top left corner, width, height, each 0 to 1.
"""

from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True)
class Table:
    """A table that is written by one stage and read by others.

    ``key`` names the columns that identify a row; rows are written sorted by them. Fields that may be empty are
    nullable, all others must have a value in every row. ``floats`` names the columns of the Parquet file that hold
    many floats: they are stored byte plane by byte plane, which packs them tighter and faster.
    """

    name: str
    schema: pa.Schema
    key: tuple[str, ...]
    floats: tuple[str, ...] = ()


TEXT, WHOLE, REAL, FLAG, TIME = pa.string(), pa.int32(), pa.float64(), pa.bool_(), pa.timestamp("ms")

HUMAN = "human"  # what is named as the detector of boxes that people drew

BOX = [("x", REAL), ("y", REAL), ("w", REAL), ("h", REAL)]
PHOTO = [("dataset", TEXT), ("file", TEXT), ("location?", TEXT), ("sequence?", TEXT), ("frame?", WHOLE)]
SHAPE = [("datetime?", TIME), ("width?", WHOLE), ("height?", WHOLE)]


def _table(name: str, key: tuple[str, ...], columns: list[tuple[str, pa.DataType]]) -> Table:
    # A question mark behind a name says that the column may be empty.
    fields = [pa.field(column.rstrip("?"), kind, nullable=column.endswith("?")) for column, kind in columns]
    return Table(name, pa.schema(fields), key)


def _list(kind: pa.DataType) -> pa.DataType:
    return pa.list_(pa.field("element", kind))  # the name that Parquet gives back


def _struct(columns: list[tuple[str, pa.DataType]]) -> pa.DataType:
    return pa.struct([pa.field(column.rstrip("?"), kind) for column, kind in columns])


# Labels and human boxes are nested in the photo's row. ``boxes`` empty: a person looked and found nothing to box;
# ``boxes`` null: nobody boxed this photo. ``level`` is image or sequence.
LABEL = _struct([("class", TEXT), ("level", TEXT)])
HUMAN_BOX = _struct([("category", TEXT), ("class?", TEXT), *BOX])
CATALOG = _table(
    "catalog",
    ("file",),
    [("image", TEXT), *PHOTO, *SHAPE, ("corrupt", FLAG), ("labels", _list(LABEL)), ("boxes?", _list(HUMAN_BOX))],
)

# What a detector said of a photo: ``failure`` (and null boxes), or boxes, which may be none; ``note`` may say why.
RECORDED_BOX = _struct([("category", TEXT), ("confidence", REAL), *BOX])
RECORDED = _table(
    "recorded detections",
    ("file",),
    [
        ("image", TEXT),
        ("dataset", TEXT),
        ("file", TEXT),
        ("failure?", TEXT),
        ("note?", TEXT),
        ("boxes?", _list(RECORDED_BOX)),
    ],
)

# ``class`` is what the catalog or a correction says, ``label`` what the classifier learns; ``why`` names the taxon or
# the dataset label of the label specification that chose the photo. ``labels`` are all labels of the photo in the order
# of the specification, one unless ``query.allow_multilabel``; ``label`` is the first, with its ``class`` and ``why``.
QUERIED = _table(
    "queried",
    ("image",),
    [
        ("image", TEXT),
        *PHOTO,
        *SHAPE,
        ("class", TEXT),
        ("label", TEXT),
        ("labels", _list(TEXT)),
        ("why", TEXT),
        ("level", TEXT),
        ("has_truth_boxes", FLAG),
    ],
)
BOXES = _table("boxes", ("image", "box"), [("image", TEXT), ("box", WHOLE), ("category", TEXT), ("class?", TEXT), *BOX])

# ``confidence`` is empty for a box that a person drew; ``class`` is filled where that person named the box's class.
# ``calibrated`` is the chance, 0 to 1, that the box is right, where the detector has a calibration; ``repeat`` numbers
# the group of boxes at the same place of the same location that it belongs to, if it recurs too often for an animal.
DETECTIONS = _table(
    "detections",
    ("image", "box"),
    [
        ("image", TEXT),
        ("box", WHOLE),
        ("category", TEXT),
        ("confidence?", REAL),
        *BOX,
        ("detector", TEXT),
        ("class?", TEXT),
        ("calibrated?", REAL),
        ("repeat?", WHOLE),
    ],
)

# x, y, w, h is the rectangle that was really cut; ``offset`` and ``length`` are the bytes of the JPEG in its shard.
CROPS = _table(
    "crops",
    ("image", "box"),
    [
        ("image", TEXT),
        ("box", WHOLE),
        ("dataset", TEXT),
        ("location?", TEXT),
        ("sequence?", TEXT),
        ("datetime?", TIME),
        ("label", TEXT),
        ("confidence?", REAL),
        ("calibrated?", REAL),
        ("detector", TEXT),
        ("shard", TEXT),
        ("offset", pa.int64()),
        ("length", WHOLE),
        ("width", WHOLE),
        ("height", WHOLE),
        *BOX,
    ],
)

SPLIT_NAMES = ("train", "val", "test")
# ``location`` of a photo without one is the stand-in that `splits.place` gives it.
SPLITS = _table(
    "splits", ("dataset", "location"), [("dataset", TEXT), ("location", TEXT), ("split", TEXT), ("crops", WHOLE)]
)
ASSIGNED = _table(
    "assigned",
    ("image", "box"),
    [("image", TEXT), ("box", WHOLE), ("dataset", TEXT), ("location", TEXT), ("label", TEXT), ("split", TEXT)],
)

# ``night``: the crop is grey, as infrared photos are. ``probabilities`` follows the order of `classes` in
# models/classifier/model.json; its length is the number of classes, so the file says it. See `camtraps.predictions`.
PREDICTIONS = _table(
    "predictions",
    ("image", "box"),
    [
        ("image", TEXT),
        ("box", WHOLE),
        ("dataset", TEXT),
        ("location", TEXT),
        ("sequence?", TEXT),
        ("split", TEXT),
        ("label", TEXT),
        ("night", FLAG),
        ("prediction", TEXT),
        ("confidence", REAL),
    ],
)


def predictions(num_classes: int) -> Table:
    """Give PREDICTIONS with the column ``probabilities`` of so many classes."""
    kind = pa.list_(pa.field("element", pa.float32()), num_classes)
    schema = PREDICTIONS.schema.append(pa.field("probabilities", kind, nullable=False))
    return Table(PREDICTIONS.name, schema, PREDICTIONS.key, floats=("probabilities.list.element",))


# What speaks for and against a crop's label, all from networks that have not seen its location. ``predicted`` is the
# class that the evidence speaks for most, but for the label; ``margin`` is p_predicted - p_label; ``score`` the chance,
# 0 to 1, that the label is wrong. ``is_confident``: confident learning counts it as a wrong label. ``sequence_photos``
# counts the other photos of its sequence, the columns behind it are the share of them with the same label and the mean
# probabilities there. ``neighbours_`` are shares of the nearest crops at other locations. ``taxon_distance`` counts the
# steps in the taxonomy between the two classes; it is empty where one of them has no taxon. ``fold`` is that of
# `mislabel.folds`, empty for the classifier itself.
EVIDENCE = [
    ("split", TEXT),
    ("location", TEXT),
    ("label", TEXT),
    ("predicted", TEXT),
    ("margin", REAL),
    ("score", REAL),
    ("p_label", REAL),
    ("p_predicted", REAL),
    ("is_confident", FLAG),
    ("sequence_photos", WHOLE),
    ("sequence_same_label?", REAL),
    ("sequence_p_label?", REAL),
    ("sequence_p_predicted?", REAL),
    ("neighbours_label?", REAL),
    ("neighbours_predicted?", REAL),
    ("taxon_distance?", WHOLE),
    ("fold?", WHOLE),
]
JUDGED = _table("judged crops", ("image", "box"), [("image", TEXT), ("box", WHOLE), ("dataset", TEXT), *EVIDENCE])
# The photos whose label is suspected, most suspicious first. ``box`` is the crop that speaks for the label most, and
# still against it; ``evidence`` says so in words, items joined by "; ".
CANDIDATES = _table(
    "candidates",
    ("rank",),
    [
        ("rank", WHOLE),
        ("image", TEXT),
        ("dataset", TEXT),
        ("file", TEXT),
        ("box", WHOLE),
        *EVIDENCE,
        ("evidence", TEXT),
    ],
)
# The crops at other locations that look most like a candidate's crop, ``position`` 1 to 3 among those whose label is
# the candidate's label (``like`` is label), and among those of the class predicted (``like`` is predicted).
NEIGHBOURS = _table(
    "neighbours",
    ("image", "box", "like", "position"),
    [
        ("image", TEXT),
        ("box", WHOLE),
        ("like", TEXT),
        ("position", WHOLE),
        ("neighbour_image", TEXT),
        ("neighbour_box", WHOLE),
    ],
)

# ``box`` is empty where the whole photo is meant. ``kind`` is failed (something is broken) or skipped (a rule of
# params.yaml or of the label specification left it out).
FAILURES = _table(
    "failures",
    ("image", "box"),
    [("image", TEXT), ("box?", WHOLE), ("stage", TEXT), ("kind", TEXT), ("reason", TEXT)],
)
