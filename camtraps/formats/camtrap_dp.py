"""Camtrap DP, the Camera Trap Data Package of TDWG (1.0 and the older 0.x): deployments, media and observations.

Media are photos, deployments the locations they were taken at. An observation of a medium speaks of one photo; one of
an event speaks of every photo that its deployment took from the event's start to its end, so its label is one of the
sequence. What a machine classified is no label: it is counted and left out.
"""

from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from camtraps.errors import InputError
from camtraps.formats.camtrap_dp_package import opened_package
from camtraps.formats.rows import ANNOTATIONS, PHOTOS, Fault, Given, Location, Problem
from camtraps.storage import is_web

# What our own export says in `observationTags` of what the standard has no column for, so that it comes back whole:
# the class as the catalog spells it (empty: a box without one), the category of a box, and that a person looked for
# things to box and found none. `|` parts tags, so it and `%` are escaped as in a URL.
CLASS_TAG, CATEGORY_TAG, NOT_BOXED_TAG = "camtraps-class:", "camtraps-category:", "camtraps-boxes:none"
CORRUPT = "corrupted file"  # `mediaComments` of a photo that cannot be decoded; the standard's own example
TYPES = ("animal", "human", "vehicle", "blank", "unknown", "unclassified")
# What a web address may have, but no file name, because `storage.photo_uri` would quote it in another way.
NO_NAME = r"\?|%2[Ff]"
BATCH = 100_000  # rows that are given at once
MEMORY = "700MB"  # of the database, beyond which it spills


def read(path: Path) -> Iterator[Given]:
    """Read a package.

    Classes are scientific names as given; an animal without one is ``animal``, a human ``human``, a vehicle
    ``vehicle``, a blank ``empty``; what is unknown or unclassified has no class. Counts, life stages, sexes and
    behaviours are not kept. A photo's sequence is the event of its own observations, else the shortest event whose
    time it lies in. Where all media are URLs, a photo's file is what follows `url_prefix`; of web addresses without
    their percent-quoting, as `storage.photo_uri` needs it.

    Args:
        path: the folder of a package, its ``datapackage.json``, or a zip of it.

    Yields:
        Problems (videos, machines' classifications, events without photos ...), locations, a table of photos and tables
        of annotations.

    Raises:
        MissingError: there is no package, or a table of it is not there.
        InputError: it is no Camtrap DP, its tables lie elsewhere, or columns are missing.
    """
    with opened_package(path) as package, duckdb.connect() as database:
        database.execute(f"set enable_progress_bar = false; set memory_limit = '{MEMORY}'")
        database.execute("set temp_directory = '" + str(package.aside).replace("'", "''") + "'")
        for name in package.resources:
            for batch in package.batches(name):
                _insert(database, name, batch)
        yield from _given(database)


def url_prefix(path: Path) -> str | None:
    """Give what the URLs of all media share, up to a ``/``: the image root to import the package with.

    Returns:
        None if the media are files, or some of them.

    Raises:
        InputError: they lie on several servers, or a web address has a query or a quoted slash; and as `read`.
    """
    low, high, strange = None, None, None
    with opened_package(path) as package:
        for batch in package.batches("media"):
            files = batch["filePath"].drop_null()
            if len(files) and not pc.all(pc.match_substring(files, "://")).as_py():
                return None
            ends = pc.min_max(files).as_py()
            low = min(filter(None, (low, ends["min"])), default=None)
            high = max(filter(None, (high, ends["max"])), default=None)
            strange = strange or next(iter(files.filter(pc.match_substring_regex(files, NO_NAME)).to_pylist()), None)
    if low is None or high is None:
        return None
    prefix = _shared(low, high)
    if prefix is None:
        raise InputError(f"{path}: {_several_servers(low, high)}")
    if strange and is_web(strange):
        # The query itself may hold a key.
        reason = f"{strange.partition('?')[0][:80]} has a query or a quoted slash, which no file name can stand for"
        raise InputError(f"{path}: {reason}; download the media and say with --images where they are")
    return prefix


def _shared(low: str, high: str) -> str | None:
    """Give the folder that two URLs share, without its last ``/``; None for different servers."""
    same = takewhile(lambda pair: pair[0] == pair[1], zip(low.partition("?")[0], high.partition("?")[0], strict=False))
    prefix = "".join(character for character, _ in same).rpartition("/")[0]
    return prefix if "://" in prefix else None


def _several_servers(low: str, high: str) -> str:
    servers = f"its media lie on several servers, such as {low[:60]} and {high[:60]}"
    return f"{servers}; download them and give filePath relative to the images' folder"


def _insert(database: duckdb.DuckDBPyConnection, name: str, rows: pa.Table) -> None:
    database.register("batch", rows)
    database.execute(f"create table if not exists {name} as select * from batch limit 0")
    database.execute(f"insert into {name} select * from batch")
    database.unregister("batch")


def _given(database: duckdb.DuckDBPyConnection) -> Iterator[Given]:
    num_files, num_urls, low, high = database.execute(
        "select count(*), count_if(contains(filePath, '://')), min(filePath), max(filePath) from media "
        "where filePath is not null"
    ).fetchall()[0]
    prefix = _shared(low, high) if num_urls and num_urls == num_files else ""
    if prefix is None:
        yield Fault(_several_servers(low, high))
        return
    database.execute(f"set variable skipped = {len(prefix) + 1 if prefix else 0}; set variable web = {is_web(prefix)}")
    database.execute(_READ)
    _insert(database, "spans", _photos_of_events(database))
    database.execute(_JOINED)
    found = database.execute(_PROBLEMS)
    while some := found.fetchmany(BATCH):
        yield from (Problem(*row) for row in some)
    yield from (Location(*row) for row in database.execute(_LOCATIONS).fetchall())
    for sql, schema in ((_PHOTOS, PHOTOS), (_OF_PHOTOS, ANNOTATIONS), (_OF_EVENTS, ANNOTATIONS)):
        for batch in database.sql(sql).to_arrow_reader(BATCH):
            yield pa.Table.from_batches([batch]).cast(schema)


def _photos_of_events(database: duckdb.DuckDBPyConnection) -> pa.Table:
    """Pair events (``event``) and the photos (``photo``) of their deployment that lie between their start and end.

    One key holds deployment and time, so that all photos are sorted once and each event is two binary searches.
    """
    sqls = (
        "select nr, code, epoch_ms(at_timestamp) from shots join codes using (deploymentID) "
        "where at_timestamp is not null",
        "select nr, code, epoch_ms(start), epoch_ms(stop) from events join codes using (deploymentID) where timed",
    )
    photos, events = ([column.to_numpy() for column in database.sql(sql).to_arrow_table().columns] for sql in sqls)
    nr, code, time = photos
    first = time.min(initial=2**62)
    width = max(time.max(initial=0) - first, 0) + 2  # one more than there are times, for what lies behind them all
    keys = code * width + (time - first)
    order = np.lexsort((nr, keys))
    event, event_code, start, stop = events
    low = np.searchsorted(keys[order], event_code * width + np.clip(start - first, 0, width - 1), "left")
    high = np.searchsorted(keys[order], event_code * width + np.clip(stop - first, -1, width - 1), "right")
    counts = high - low
    at = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(low, counts)
    return pa.table({"event": pa.array(np.repeat(event, counts), pa.int64()), "photo": pa.array(nr[order][at])})


_NO_PHOTO = r"lower(filePath) similar to '.*\.(mp4|avi|mov|m4v|mpe?g|wmv|mkv|webm|3gp|mts|asf|flv)'"

# An observation's `event` is what 0.x calls its sequence; `level` image or sequence. Tags are looked for with bars on
# both sides.
_READ = f"""
create table shots as
select rowid as nr, *, substr(filePath, getvariable('skipped') + 1) as below,
    case when getvariable('web') then coalesce(try(url_decode(below)), below) else below end as file,
    case when mediaID is null then 'has no mediaID'
         when filePath is null then 'has no filePath'
         when lower(trim(fileMediatype)) like 'video%' or (fileMediatype is null and {_NO_PHOTO}) then 'is a video'
         when lower(trim(fileMediatype)) like 'audio%' then 'is a sound recording'
         when getvariable('skipped') = 0 and contains(filePath, '://')
         then 'is at a URL while other media are files; download it and give its path' end as problem
from media;
create table places as
select rowid as nr, place, deploymentID, coalesce(locationID, locationName, deploymentID) as location,
    case when try_cast(latitude as double) between -90 and 90 and try_cast(longitude as double) between -180 and 180
    then try_cast(latitude as double) end as north,
    case when north is not null then try_cast(longitude as double) end as east,
    concat_ws(', ', latitude, longitude) as coordinates,
    row_number() over (partition by deploymentID order by rowid) as turn
from deployments;
create table observed as
select rowid as nr, *, coalesce(eventID, sequenceID) as event,
    '|' || observationTags || '|' as tags, contains(tags, '|{NOT_BOXED_TAG}|') as boxed,
    coalesce(lower(trim(observationType)), if(scientificName is null, 'unclassified', 'animal')) as type,
    if(lower(trim(observationLevel)) = 'event' or (observationLevel is null and mediaID is null), 'sequence', 'image')
        as level,
    case when contains(tags, '|{CLASS_TAG}')
         then nullif(replace(replace(regexp_extract(tags, '\\|{CLASS_TAG}([^|]*)', 1), '%7C', '|'), '%25', '%'), '')
         when type = 'animal' then coalesce(scientificName, 'animal')
         when type in ('human', 'vehicle') then type
         when type = 'blank' then 'empty' end as name,
    case when contains(tags, '|{CATEGORY_TAG}') then regexp_extract(tags, '\\|{CATEGORY_TAG}([^|]*)', 1)
         when type = 'human' then 'person' when type = 'vehicle' then type end as category,
    level = 'image' and concat(bboxX, bboxY, bboxWidth, bboxHeight) <> '' as has_box,
    try_cast(bboxX as double) as x, try_cast(bboxY as double) as y, try_cast(bboxWidth as double) as w,
    try_cast(bboxHeight as double) as h, has_box and coalesce(isfinite(x + y + w + h), false) as is_box
from observations;
create table events as
select row_number() over () as nr, *, coalesce(start <= stop, false) as timed from (
    select distinct deploymentID, event, at_eventStart as start, at_eventEnd as stop from observed
    where level = 'sequence' order by all);
create table codes as select deploymentID, row_number() over () as code from shots group by deploymentID;
create table own as
select shots.nr, coalesce(any_value(shots.sequenceID), any_value(shots.eventID), min(event)) as event
from shots left join observed on shots.mediaID = observed.mediaID and level = 'image'
where problem is null group by shots.nr;
"""

# Events may overlap by a second at one camera, which their times cannot tell apart: where the photos' own observations
# name events too, a photo of one is not taken for another's.
_JOINED = f"""
create table members as
select spans.event as event_nr, photo from spans join events on spans.event = events.nr join own on own.nr = photo
where own.event is null or events.event is null or own.event = events.event
    or events.event not in (select event from own where event is not null)
union
select events.nr, own.nr from events join own using (event) join shots on shots.nr = own.nr
where not timed and shots.deploymentID = events.deploymentID;
create table sequences as
select own.nr, coalesce(own.event, around.event) as sequence from own left join (
    select photo, first(event order by stop - start, event) as event
    from members join events on event_nr = events.nr where event is not null group by photo
) as around on own.nr = around.photo;
create table shared as
select sequence from sequences join shots using (nr) group by sequence having count(distinct deploymentID) > 1;
create table said as
select observed.*, events.nr as event_nr,
    case when lower(trim(classificationMethod)) = 'machine' then 'is a machine''s classification'
         when type not in {TYPES} then 'observationType is none of {", ".join(TYPES)}'
         when level = 'image' and mediaID is null then 'is of a medium but has no mediaID'
         when level = 'image' and mediaID in (select mediaID from shots where problem like 'is a %')
         then 'is of a video or a sound recording'
         when level = 'sequence' and name is not null and events.nr not in (select event_nr from members)
         then 'no photo of its deployment lies between its eventStart and eventEnd' end as problem
from observed left join events on level = 'sequence' and observed.deploymentID is not distinct from events.deploymentID
    and observed.event is not distinct from events.event and at_eventStart is not distinct from start
    and at_eventEnd is not distinct from stop;
"""

_PROBLEMS = """
select item, kind, reason, coalesce(found, '') from (
    select 1 as part, nr, place || ' ' || deploymentID as item, 'ignored' as kind,
        'its deploymentID stands twice; the first is kept' as reason, '' as found from places where turn > 1
    union all
    select 1, nr, place || ' ' || deploymentID, 'mended', 'latitude and longitude are no degrees; left empty',
        coordinates from places where turn = 1 and north is null and coordinates <> ''
    union all
    select 1, nr, place || ' ' || location, 'mended', 'its location has other coordinates before; those are kept',
        coordinates
    from places join (select location, arg_min(north, nr) as north_, arg_min(east, nr) as east_ from places
        where turn = 1 and north is not null group by all) using (location)
    where turn = 1 and (north <> north_ or east <> east_)
    union all
    select 2, nr, concat_ws(' ', place, filePath), case when problem like 'is a %' then 'skipped' else 'dropped' end,
        problem, '' from shots where problem is not null
    union all
    select 2, nr, place || ' ' || filePath, 'mended', 'its deploymentID is in no row of deployments; taken as location',
        deploymentID
    from shots where problem is null
        and deploymentID not in (select deploymentID from places where deploymentID is not null)
    union all
    select 3, nr, place, 'ignored', problem, case when problem like 'is a m%' then classifiedBy
        when problem like 'obs%' then observationType
        when problem like 'no p%' then concat_ws(' to ', eventStart, eventEnd) end
    from said where problem is not null
) order by part, nr, reason
"""

_LOCATIONS = """
select location, arg_min(north, nr), arg_min(east, nr) from places where turn = 1 and north is not null
group by location order by min(nr)
"""

_PHOTOS = f"""
select shots.place, mediaID as key, file, coalesce(location, shots.deploymentID) as location,
    if(sequence in (from shared), concat_ws('/', shots.deploymentID, sequence), sequence) as sequence, null as frame,
    timestamp as taken, null as width, null as height,
    coalesce(lower(trim(mediaComments)) = '{CORRUPT}', false) as corrupt, null as dataset
from shots join sequences using (nr) left join places on places.deploymentID = shots.deploymentID and turn = 1
order by shots.nr
"""

_OF_PHOTOS = """
select place, mediaID as photo, name, level, if(is_box, x, null) as x, if(is_box, y, null) as y,
    if(is_box, w, null) as w, if(is_box, h, null) as h, false as in_pixels, category, coalesce(boxed, false) as boxed,
    if(has_box and not is_box, 'box is not four numbers', null) as problem,
    if(has_box and not is_box, concat_ws(', ', bboxX, bboxY, bboxWidth, bboxHeight), null) as found
from said where level = 'image' and problem is null and (name is not null or has_box or boxed) order by nr
"""

_OF_EVENTS = """
select named.place, mediaID as photo, name, 'sequence' as level, null as x, null as y, null as w, null as h,
    false as in_pixels, null as category, false as boxed, null as problem, null as found
from (select event_nr, name, min(nr) as nr, arg_min(place, nr) as place from said
      where level = 'sequence' and problem is null and name is not null group by all) as named
join members using (event_nr) join shots on shots.nr = photo order by named.nr, shots.nr
"""
