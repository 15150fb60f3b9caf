"""The rules of the query, as SQL over the catalog, in the order in which they are applied.

The tables that a statement names and no earlier one makes come from `hits` (asked, hits, hit_labels, names, classes),
from `catalog.connect` (placed, dataset_at), or from `query` itself (fixes, chosen).
"""

OUTSIDE = "outside the datasets, locations and days asked for, or without location or time"
NOT_ASKED = "corrected to a class that is not asked for: "
OVER_CAP = "over the cap of its label (max_count)"
FEW_LOCATIONS = "its label has fewer locations than min_locations"
ABSENT = "photo not found"
CORRUPT = "marked corrupt in its source"
EXTENSIONS = ("jpg", "jpeg", "png", "tif", "tiff", "bmp", "gif", "webp", "avif")

_PROBLEM = f"""case when not contains(file, '.') or lower(split_part(file, '.', -1)) not in {EXTENSIONS}
    then 'not an image file' when corrupt then '{CORRUPT}' end"""
# What md5_number_lower gives, in a quarter of its time.
_DRAW = "cast(md5_number($seed || ':' || placed.dataset || '/' || file) >> 64 as ubigint)"

# The photos that a person has decided about; their classes in the catalog count no more.
FIXED = f"""
create or replace temp table fixed as
select id, image, dataset, file, correct_class as class, said, hit, {{within}} as is_within,
    {_PROBLEM} as problem, {_DRAW} as draw
from placed join fixes using (dataset, file) where file in (select file from fixes)
"""

# One scan over all photos. Most have one label, for which a join says all; those with several come through whole, by
# a row of `asked` without a class. `said` numbers the classes, `draw` orders the photos of a label that has a cap.
NAMED = f"""
create or replace temp table named as
select id, said, labels[1].level as level, hit, {_PROBLEM} as problem,
    case when is_capped then {_DRAW} else 0 end as draw, case when said is null then labels end as labels
from placed join asked
    on placed.dataset = asked.dataset and case when len(labels) = 1 then labels[1].class else chr(0) end = asked.class
where (len(labels) > 1 or labels[1].class <> chr(0)) and {{within}}
"""

# A hit and a class in one number: the least one is the first hit, in the first spelling of its class.
_WAY = "(cast(hit as bigint) << 32) + said"
_UNPACKED = "cast(way & 4294967295 as integer) as said, cast(way >> 32 as integer) as hit"

# The labels of the image itself win over those of its sequence.
SEVERAL = f"""
create or replace temp table several as
with judged as (
    select id, problem, draw, unnest(
        case when len(list_filter(labels, lambda label: label.level = 'image')) > 0
        then list_filter(labels, lambda label: label.level = 'image') else labels end) as label
    from named where labels is not null
), grouped as (
    select id, min({_WAY}) as way, list(distinct {_WAY}) as ways, min(hit) < max(hit) as is_torn,
        any_value(label.level) as level, any_value(problem) as problem, any_value(judged.draw) as draw,
        string_agg(distinct asked.class, ', ' order by asked.class) as classes
    from judged join dataset_at on dataset_at.number = id >> 32
    join asked on dataset_at.dataset = asked.dataset and label.class = asked.class where said is not null group by id
)
select id, {_UNPACKED}, level, problem, draw, ways, is_torn, classes from grouped
"""

CANDIDATES = """
create or replace temp table candidates as
select * from (
    select id, said, level, hit, problem, draw from named where labels is null
    union all
    select id, said, level, hit, case when is_torn and not $multilabel
        then 'several asked classes: ' || classes else problem end, draw from several
) where id not in (select id from fixed)
union all
select id, said, 'correction', hit, problem, draw from fixed where hit is not null and is_within
"""

# What labels a photo has: that of its class; with several labels, those of all its classes, each with the first class
# in the alphabet that leads to it.
CARRIED = """
create or replace temp table carried as
select id, label_at, draw, said, hit from candidates join hit_labels using (hit) where problem is null
"""
CARRIED_SEVERAL = f"""
create or replace temp table carried as
select id, label_at, draw, {_UNPACKED} from (
    select id, label_at, any_value(draw) as draw, min(way) as way from (
        select id, hit, {_WAY} as way, draw from candidates where problem is null
        union all
        select id, way >> 32, way, draw from (select id, unnest(ways) as way, draw from several)
        where id in (select id from candidates where problem is null and level <> 'correction')
    ) join hit_labels using (hit) group by id, label_at
)
"""

LABELS = """
create or replace temp table labels_of as
select id, list(label order by label_at) as labels from carried semi join chosen using (id) join names using (label_at)
where $multilabel group by id
"""

# The label of a photo is the first of its labels; `said` and `hit` are those that lead to it.
PICKED = """
create or replace temp table picked as
select id, said, hit, label_at, cast(level as enum('correction', 'image', 'sequence')) as level
from candidates semi join chosen using (id) join hits using (hit)
"""
PICKED_SEVERAL = """
create or replace temp table picked as
select id, arg_min(carried.said, label_at) as said, arg_min(carried.hit, label_at) as hit, min(label_at) as label_at,
    any_value(level) as level
from carried semi join chosen using (id) join candidates using (id) group by id
"""

# Sorting costs most, so the image, which is dataset and file, and the list of labels are only made behind it; and the
# few names that millions of rows repeat are sorted and written several times faster as numbers of an ENUM.
PHOTOS = """
select dataset || '/' || file as image, dataset, file, location, sequence, frame, datetime, width, height, class, label,
    coalesce(labels, [label]) as labels, why, level, has_truth_boxes
from (
    select id, dataset, file, location, sequence, frame, cast(datetime as timestamp_ms) as datetime, width, height,
        named_classes.class, named_labels.label, labels_of.labels, named_whys.why, level,
        boxes is not null as has_truth_boxes
    from placed join picked using (id) join named_whys using (hit, label_at) join named_labels using (label_at)
    join named_classes using (said) left join labels_of using (id) order by id
)
"""
ENUMS = {
    "named_labels": ("names", "label", "label_at, {label} as label"),
    "named_classes": ("classes", "class", "said, {class} as class"),
    "named_whys": ("hit_labels", "why", "hit, label_at, {why} as why"),
}

# A box keeps the class that its annotation named, unless a person has since decided about the photo.
BOXES = """
select image, number as box, drawn.category as category,
    case when level = 'correction' then null else drawn.class end as class,
    drawn.x as x, drawn.y as y, drawn.w as w, drawn.h as h
from (
    select id, image, level, unnest(boxes) as drawn, cast(unnest(range(len(boxes))) as integer) as number
    from placed join picked using (id) where len(boxes) > 0
) order by id, number
"""

LEFT_OUT = f"""
select image, case when problem in ('{CORRUPT}', '{ABSENT}') then 'failed' else 'skipped' end as kind, problem as reason
from candidates join placed using (id) where problem is not null
union all
select image, 'skipped', case when class = '' then 'its label is known to be wrong, the right one unknown'
    else '{NOT_ASKED}' || class end
from fixed where is_within and (hit is null or class = '') order by image
"""

ONCE = """
select dataset, count(*) as before, count(*) filter (id in (select id from chosen)) as after
from (select distinct id from carried) join dataset_at on dataset_at.number = id >> 32 group by dataset order by dataset
"""

IDLE = "select dataset || '/' || file from fixes anti join fixed using (dataset, file) order by all"
