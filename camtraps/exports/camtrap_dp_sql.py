"""The SQL that makes the tables of a Camtrap DP of a catalog, in the order in which the export runs it.

It reads what the export registers before: ``photos``, ``homes`` (how names and paths of each dataset begin), ``terms``
(what classes are called), ``mediatypes`` by suffix, ``coordinates`` of locations, ``detections`` and ``predictions``;
and the variables ``timezone`` and ``classifier``.
"""

from camtraps.formats.camtrap_dp import CORRUPT, NOT_BOXED_TAG

MODEL_COLUMNS = ("image", "box", "category", "confidence", "x", "y", "w", "h", "detector", "prediction")
ORDER = {
    "deployments": "deploymentID",
    "media": "deploymentID, timestamp, mediaID",
    "observations": "deploymentID, eventStart, observationID",
}

# `event` is the photo's sequence; a photo alone that has a label of its sequence is a sequence of its own.
SHOTS = """
create macro instant(taken) as strftime(taken, '%Y-%m-%dT%H:%M:%S') || getvariable('timezone');
create view located as
select photos.*, prefix || location as deployment, date_trunc('second', datetime) as taken, web,
    prefix || coalesce(sequence, case when list_contains([l.level for l in labels], 'sequence') then file end) as event,
    root || case when web then replace(replace(url_encode(file), '%2F', '/'), '..', '%2E%2E') else file end as path,
    case when contains(parse_filename(file), '.') then lower(string_split(file, '.')[-1]) else '' end as suffix
from photos join homes using (dataset);
create table shots as
select *, case when datetime is null then 'no time' when location is null then 'no location'
    when path[1] in ('.', '/', '~') or contains(path, '..') then 'a name with .. or a first . or ~'
    end as reason
from located;
create view media as select * from shots where reason is null
"""

CLASSES = """
select distinct dataset, l.class, null as category from (select dataset, unnest(labels) as l from media)
union
select distinct dataset, b.class, b.category from (select dataset, unnest(boxes) as b from media)
order by all
"""

SAID = f"""
create table events as
select event, deployment, min(taken) as start, max(taken) as stop from media where event is not null group by all;

create view boxed as
select image, '#box' || number as ending, 'media' as level, dataset, b.class as class, b.category as category,
    b.x as x, b.y as y, b.w as w, b.h as h, null as extra
from (select image, dataset, unnest(boxes) as b, generate_subscripts(boxes, 1) as number from media);

create view labelled as
select image, '#label' || number as ending, 'media' as level, dataset, l.class as class, null as category,
    null::double as x, null::double as y, null::double as w, null::double as h,
    case when len(boxes) = 0 then '{NOT_BOXED_TAG}' end as extra
from (select image, dataset, boxes, unnest(labels) as l, generate_subscripts(labels, 1) as number from media)
where l.level = 'image' and not coalesce(list_contains([b.class for b in boxes], l.class), false);

create view by_person as
select image || ending as observationID, deployment as deploymentID, image as mediaID, media.event as eventID,
    coalesce(start, taken) as begins, coalesce(stop, taken) as ends, level as observationLevel,
    terms.type as observationType, terms.name as scientificName, x, y, w, h, 'human' as classificationMethod,
    null as classifiedBy, null::double as classificationProbability,
    nullif(concat_ws('|', terms.tags, extra), '') as observationTags
from (from boxed union all from labelled) as said join media using (image) left join events using (event, deployment)
    join terms on terms.dataset = said.dataset and terms.class is not distinct from said.class
        and terms.category is not distinct from said.category;

create view by_person_of_events as
select 'event ' || event || '#' || row_number() over (partition by event order by deployment, class), deployment,
    null, event, start, stop, 'event', terms.type, terms.name, null, null, null, null, 'human', null, null, terms.tags
from (select distinct dataset, event, deployment, l.class as class
      from (select dataset, event, deployment, unnest(labels) as l from media) where l.level = 'sequence')
    join events using (event, deployment) join terms using (dataset, class) where terms.category is null;

create view by_nobody as
select image || '#unclassified', deployment, image, event, coalesce(start, taken), coalesce(stop, taken), 'media',
    'unclassified', null, null, null, null, null, null, null, null,
    case when len(boxes) = 0 then '{NOT_BOXED_TAG}' end
from media left join events using (event, deployment)
where (event is not null or len(boxes) = 0) and not coalesce(len(boxes) > 0, false)
    and not list_contains([l.level for l in labels], 'image');

create view told as
select coalesce(predictions.image, detections.image) as image, coalesce(predictions.box, detections.box) as box,
    detections.category as category, prediction, x, y, w, h, coalesce(predictions.confidence, detections.confidence)
    as confidence, if(prediction is null, detector, getvariable('classifier')) as model
from detections full join predictions on detections.image = predictions.image and detections.box = predictions.box
where prediction is not null or detections.confidence is not null;

create view by_machine as
select image || '#machine' || box, deployment, image, media.event, coalesce(start, taken), coalesce(stop, taken),
    'media',
    case when prediction is not null then terms.type when told.category = 'person' then 'human'
         when told.category = 'vehicle' then 'vehicle' else 'animal' end,
    terms.name, x, y, w, h, 'machine', model, confidence, null
from told join media using (image) left join events using (event, deployment)
    left join terms on terms.dataset = '' and terms.class = prediction;

create table observed as
from by_person union all from by_person_of_events union all from by_nobody union all from by_machine
"""

_DEPLOYMENTS = """
select deployment as deploymentID, deployment as locationID, location as locationName, latitude, longitude,
    instant(min(taken)) as deploymentStart, instant(max(taken)) as deploymentEnd
from media join coordinates using (dataset, location) group by all
"""

# Pictures of people are not offered to everybody, wherever they lie.
_MEDIA = f"""
select image as mediaID, deployment as deploymentID, instant(taken) as timestamp, path as filePath,
    web and image not in (select mediaID from observed where observationType = 'human' and mediaID is not null)
        and concat_ws(' ', deployment, event) not in (
            select concat_ws(' ', deploymentID, eventID) from observed
            where observationType = 'human' and observationLevel = 'event') as filePublic,
    parse_filename(file) as fileName, mediatype as fileMediatype, if(corrupt, '{CORRUPT}', null) as mediaComments
from media join mediatypes using (suffix)
"""

_OBSERVATIONS = """
select * exclude (begins, ends, x, y, w, h), instant(begins) as eventStart, instant(ends) as eventEnd,
    case when x < 0 then 0 else x end as bboxX, case when y < 0 then 0 else y end as bboxY,
    case when w > 1 then 1 else w end as bboxWidth, case when h > 1 then 1 else h end as bboxHeight
from observed
"""

# The tables of the package.
TABLES = {"deployments": _DEPLOYMENTS, "media": _MEDIA, "observations": _OBSERVATIONS}

EXTENT = """
select strftime(min(taken), '%Y-%m-%d'), strftime(max(taken), '%Y-%m-%d'), instant(max(taken)),
    min(longitude), min(latitude), max(longitude), max(latitude)
from media join coordinates using (dataset, location)
"""

COUNTS = """
select (select count(distinct deployment) from media), (select count(*) from media), (select count(*) from observed),
    (select count(*) from told anti join media using (image))
"""
