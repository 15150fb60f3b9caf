r"""The rules of the intake, as SQL, in the order they are applied.

Each rule makes tables of those before it and drops what nobody needs any more, so that the database stays small:

    given_photos -> tidy -> judged, kept -> times -> read_times
    given_annotations, given_categories, judged, kept -> said -> drawn -> labels_of, boxes_of, looked_at
    kept, read_times -> built
    kept and all of these -> photos

`nr` is the order of a photo or annotation in the source, `place` is where it stands there. What is not taken over as it
stands goes into ``problems`` in that order. ``$name`` are parameters.
"""

from camtraps.formats.rows import CATEGORY_OF_CLASS, EMPTY_CLASSES

LARGEST = 2**31 - 1  # what the catalog's whole numbers hold
DATASET_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"

# The class names of formats.rows, for the rules below; and whole numbers as people write them, 2048.0 too.
_PAIRS = " ".join(f"when '{name}' then '{category}'" for name, category in CATEGORY_OF_CLASS.items())
_EMPTY = ", ".join(f"'{name}'" for name in sorted(EMPTY_CLASSES))
MACROS = f"""
create macro category_of(name) as case replace(lower(trim(name)), '_', ' ') {_PAIRS} else 'animal' end;
create macro is_empty(name) as lower(trim(name)) in ({_EMPTY});
create macro whole(value) as case when try_cast(value as double) between 0 and {LARGEST}
    and floor(try_cast(value as double)) = try_cast(value as double) then cast(try_cast(value as double) as integer) end
"""

# Numbers, times and places of photos are still text here. A NUL at the start of a file name says that the rest of it
# is not the name but shows it; that is left as it is.
_FILE = """case when starts_with(file, chr(0)) then file
    when contains(file, '\\') or contains(file, './') or contains(file, '//') then
    regexp_replace(regexp_replace(replace(file, '\\', '/'), '/+', '/', 'g'), '(^|/)(\\./)+', '\\1', 'g')
    else file end"""

TIDY = f"""
create table tidy as select rowid as nr, * replace (
    coalesce(dataset, $dataset) as dataset, {_FILE} as file)
from given_photos;
drop table given_photos
"""

# Most photos of such a source still have one row only: these are left out of the merging, which is slow.
TIDY_MERGED = f"""
create table given as
select rowid as nr, * replace (coalesce(dataset, $dataset) as dataset, {_FILE} as file) from given_photos;
drop table given_photos;
create table repeated as select key from given group by key having count(*) > 1;
create table merged as
select min(nr) as nr, arg_min(place, nr) as place, key, min(file) as file, min(location) as location,
    min(sequence) as sequence, min(frame) as frame, min(taken) as taken, min(width) as width, min(height) as height,
    bool_or(corrupt) as corrupt, min(dataset) as dataset,
    case when min(location) <> max(location) then 'location' when min(taken) <> max(taken) then 'time'
         when min(sequence) <> max(sequence) then 'sequence' when min(frame) <> max(frame) then 'frame'
         when min(width) <> max(width) then 'width' when min(height) <> max(height) then 'height' end as differs
from given semi join repeated using (key) group by key;
create table tidy as
select * from given anti join repeated using (key)
union all by name select * exclude (differs) from merged;
insert into problems select place || ' ' || file, 'mended',
    'the photo''s rows differ in ' || differs || '; the first in the alphabet is kept', ''
from merged where differs is not null order by nr;
drop table given;
drop table repeated;
drop table merged
"""

JUDGED = f"""
create table first_keys as select key, min(nr) as nr from tidy group by key having count(*) > 1;
create table judged as
select tidy.nr, place, tidy.key, file, dataset,
    case when first_keys.nr <> tidy.nr then 'its id stands twice'
         when starts_with(file, chr(0)) then 'file name is not Unicode text'
         when file in ('', '.') or contains(file, chr(0)) or starts_with(file, '/') or file[2] = ':'
              or (contains(file, '..') and regexp_matches(file, '(^|/)\\.\\.(/|$)'))
         then 'file name leads out of the image folder'
         when not regexp_full_match(dataset, '{DATASET_NAME}')
         then 'dataset name has other characters than letters, digits, . _ and -' end as problem
from tidy left join first_keys using (key);
create table first_files as
select dataset, file, min(nr) as nr from judged where problem is null group by all having count(*) > 1;
insert into problems
select place || ' ' || ltrim(file, chr(0)), 'dropped', problem, case when problem like 'its id%' then key
    when problem like 'dataset%' then dataset else '' end
from judged where problem is not null order by nr;
insert into problems
select place || ' ' || file, 'dropped', 'its file name stands twice', ''
from judged join first_files using (dataset, file) where problem is null and judged.nr <> first_files.nr
order by judged.nr
"""

KEPT = f"""
create table kept as
select nr, place, key, dataset, file, location, sequence, taken, corrupt,
    whole(frame) as frame, whole(width) as width, whole(height) as height
from tidy semi join (
    select judged.nr from judged left join first_files using (dataset, file)
    where problem is null and coalesce(first_files.nr, judged.nr) = judged.nr
) using (nr);
insert into problems
select place || ' ' || file, 'mended', name || ' is no whole number from 0 to {LARGEST}; left empty', value
from (
    select nr, place, file, unnest([{{'name': 'frame', 'value': frame}}, {{'name': 'width', 'value': width}},
        {{'name': 'height', 'value': height}}], recursive := true)
    from tidy semi join kept using (nr)
    where (frame is not null and whole(frame) is null) or (width is not null and whole(width) is null)
        or (height is not null and whole(height) is null)
) where value is not null and whole(value) is null order by nr, name
"""

_YEAR_FIRST = r"^(\d{4})[-/.:](\d{1,2})[-/.:](\d{1,2})(?:[T\s]+|$)"
_YEAR_LAST = r"^(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})(?:[T\s]+|$)"
# Years of two digits count too for what comes first; not behind a dash, where they may stand first themselves.
_UNCLEAR = r"^(\d{1,2})(?:[-/.](?:\d{1,2})[-/.]\d{4}|[/.](?:\d{1,2})[/.]\d{2})(?:\D|$)"

# Dates with points have the day first where people write them. Clock times are kept as the camera wrote them; an offset
# behind them is passed over. `wanted` is the date as year, month, day, before it is known whether these exist.
TIMES = rf"""
create table times as
select distinct dataset, taken, regexp_replace(
    trim(taken), '(\d:\d\d(?::\d\d)?)(?:[.,]\d+)?\s*(?:Z|UTC|[+-]\d\d:?\d\d)?$', '\1') as clean
from kept where taken is not null;
create table orders as
select dataset, min(clean) as example, max(cast(parts[1] as integer)) > 12 as day_first,
    max(cast(parts[2] as integer)) > 12 as month_first, bool_and(clean like '%.%.%') as dotted
from (
    select dataset, clean, regexp_extract_all(clean, '\d+') as parts
    from times where regexp_matches(clean, '{_UNCLEAR}')
) group by dataset;
create table read_times as
select dataset, taken, clean, is_day_first, try_strptime(trim(case
        when regexp_matches(clean, '{_YEAR_FIRST}') then regexp_replace(clean, '{_YEAR_FIRST}', '\1-\2-\3 ')
        when regexp_matches(clean, '{_YEAR_LAST}') then
            regexp_replace(clean, '{_YEAR_LAST}', case when is_day_first then '\3-\2-\1 ' else '\3-\1-\2 ' end)
    end), ['%Y-%m-%d %H:%M:%S', '%Y-%m-%d %H:%M', '%Y-%m-%d', '%Y-%m-%d %I:%M:%S %p', '%Y-%m-%d %I:%M %p']) as time
from (
    select *, coalesce($day_first, (day_first or dotted) and not month_first, false) as is_day_first
    from times left join orders using (dataset)
);
insert into problems
select dataset, 'mended', 'dates may be month/day or day/month; read as ' || case when dotted and not month_first
    then 'day first (--month-first if not)' else 'month first (--day-first if not)' end, example
from orders where day_first = month_first and $day_first is null order by dataset;
drop table times;
drop table orders
"""

ODD_TIMES = """
update read_times set time = odd.time from odd where read_times.dataset = odd.dataset and read_times.taken = odd.taken;
insert into problems
select place || ' ' || file, 'mended', 'time cannot be read; left empty', taken
from kept join read_times using (dataset, taken) where time is null order by nr
"""

# Where a source has categories, annotations name their ids. `lost` are annotations that lead nowhere; those of photos
# that were dropped go in silence.
SAID = """
create table said as
select given.rowid as nr, given.place, photo, judged.nr as photo_nr, kept.nr as kept_nr, kept.file, level,
    case when (select count(*) from given_categories) = 0 then name else named end as class, name as id,
    category, boxed, given.problem, found, in_pixels, kept.width as width, kept.height as height, x, y, w, h
from given_annotations as given
left join (select id, any_value(name) as named from given_categories group by id) on given.name = id
left join (select key, min(nr) as nr from judged group by key) as judged on given.photo = judged.key
left join kept on judged.nr = kept.nr;
drop table given_annotations;
drop table given_categories;
drop table judged;
create table lost as
select nr, place, 'names no ' || case when photo_nr is null then 'photo' else 'category' end || ' of this file'
    as reason, case when photo_nr is null then photo else id end as found, id
from said where photo_nr is null or (class is null and id is not null);
insert into problems select place, 'ignored', reason, found from lost order by nr
"""

DRAWN = """
delete from said where kept_nr is null or (class is null and id is not null);
create table drawn as
select nr, place, file, kept_nr, class, coalesce(category, category_of(coalesce(class, ''))) as category, x, y, w, h,
    greatest(0, x) as left_, greatest(0, y) as top_, least(1, x + w) as right_, least(1, y + h) as bottom_,
    case when problem is not null then problem
         when in_pixels and not coalesce(width > 0 and height > 0, false)
         then 'box is in pixels but the image has no width and height'
         when isnan(x) or isnan(y) or isnan(w) or isnan(h) or w <= 0 or h <= 0 or right_ <= left_ or bottom_ <= top_
         then 'box has no area inside the image'
    end as problem,
    coalesce(found, printf('[%.4g, %.4g, %.4g, %.4g]', given_x, given_y, given_w, given_h)) as found
from (
    select * replace (
        case when in_pixels then x / width else x end as x, case when in_pixels then y / height else y end as y,
        case when in_pixels then w / width else w end as w, case when in_pixels then h / height else h end as h),
        x as given_x, y as given_y, w as given_w, h as given_h
    from said where (x is not null or problem is not null) and not coalesce(is_empty(class), false)
);
insert into problems
select place || ' of ' || file, 'ignored', problem, found from drawn where problem is not null order by nr;
delete from drawn where problem is not null;
insert into problems
select place || ' of ' || file, 'mended', 'box reaches outside the image; clipped', found from drawn
where greatest(left_ - x, top_ - y, x + w - right_, y + h - bottom_) > 0.005 order by nr
"""

# Lists are sorted by what is in them, so that the order of a source does not matter. Clipping in floating point moves
# the last digits of boxes that were fine: those stay as they are.
FRAMED = """
create table labels_of as
select kept_nr as nr, list_sort(list({'class': class, 'level': level})) as labels
from (select distinct kept_nr, class, level from said where class is not null) group by kept_nr;
create table boxes_of as
select kept_nr as nr,
    list_sort(list({'category': category, 'class': class, 'x': x, 'y': y, 'w': w, 'h': h})) as boxes
from (
    select kept_nr, category, class,
        case when fine then x else left_ end as x, case when fine then y else top_ end as y,
        case when fine then w else right_ - left_ end as w, case when fine then h else bottom_ - top_ end as h
    from (select *, greatest(left_ - x, top_ - y, x + w - right_, y + h - bottom_) <= 1e-9 as fine from drawn)
) group by kept_nr;
create table looked_at as select distinct kept_nr as nr from said where boxed;
drop table drawn;
drop table said
"""

# A pause of more than $gap seconds begins a new sequence; photos with a sequence of their own keep it.
SEQUENCES = """
create table built as
with timed as (
    select nr, dataset, location, file, time,
        time - lag(time) over (partition by dataset, location order by time, file) as pause
    from kept join read_times using (dataset, taken)
    where sequence is null and location is not null and contains(taken, ':') and time is not null and $gap > 0
), numbered as (
    select *, sum(case when pause <= to_microseconds(cast($gap * 1e6 as bigint)) then 0 else 1 end)
        over (partition by dataset, location order by time, file rows unbounded preceding) as number
    from timed
)
select nr, location || ' ' || strftime(min(time) over (partition by dataset, location, number), '%Y-%m-%dT%H:%M:%S')
        as sequence,
    row_number() over (partition by dataset, location, number order by time, file) - 1 as frame
from numbered
"""

PHOTOS = """
create table photos as
select dataset || '/' || file as image, dataset, file, location, coalesce(kept.sequence, built.sequence) as sequence,
    cast(coalesce(kept.frame, built.frame) as integer) as frame, cast(time as timestamp_ms) as datetime,
    width, height, corrupt, coalesce(labels, []) as labels,
    case when boxes is null and looked_at.nr is not null then [] else boxes end as boxes
from kept left join read_times using (dataset, taken) left join built on kept.nr = built.nr
left join labels_of on kept.nr = labels_of.nr left join boxes_of on kept.nr = boxes_of.nr
left join looked_at on kept.nr = looked_at.nr
"""
