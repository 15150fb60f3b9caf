"""Small Camtrap DP packages."""

import json

DEPLOYMENTS = "deploymentID,locationID,locationName,latitude,longitude"
MEDIA = "mediaID,deploymentID,timestamp,filePath,fileMediatype"
OBSERVATIONS = (
    "observationID,deploymentID,mediaID,eventID,eventStart,eventEnd,observationLevel,observationType,scientificName,"
    "classificationMethod"
)
ONE_DEPLOYMENT = ["d1,007,,52.5,13.25"]
TWO_PHOTOS = [
    "m1,d1,2024-04-01T05:00:00Z,a/1.jpg,image/jpeg",
    "m2,d1,2024-04-01T05:00:10Z,a/2.jpg,image/jpeg",
]


def package(folder, deployments=ONE_DEPLOYMENT, media=TWO_PHOTOS, observations=(), headers=()):
    """Write a package of lines without their headers; ``headers`` are pairs of a table and what replaces its header."""
    folder.mkdir(exist_ok=True)
    given = {"deployments": (DEPLOYMENTS, deployments), "media": (MEDIA, media)}
    given["observations"] = (OBSERVATIONS, observations)
    for name, (header, lines) in given.items():
        text = "\n".join([dict(headers).get(name, header), *lines]) + "\n"
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    describe(folder)
    return folder


def describe(folder, **resources):
    """Write datapackage.json; ``resources`` adds keys to those of tables."""
    names = ("deployments", "media", "observations")
    listed = [{"name": name, "path": f"{name}.csv", **resources.get(name, {})} for name in names]
    (folder / "datapackage.json").write_text(json.dumps({"resources": listed}))
