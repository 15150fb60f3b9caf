"""Photos with EXIF and XMP in them."""

from pathlib import Path
from xml.sax.saxutils import escape

from PIL import ExifTags, Image, PngImagePlugin

ORIGINAL, DIGITIZED, CHANGED = 0x9003, 0x9004, 0x0132
XMP_OF_TIFF = 700


def photo(
    path: Path,
    kind: str = "JPEG",
    times: dict[int, str] | None = None,
    orientation: int | None = None,
    xmp: bytes | None = None,
) -> Path:
    """Save a photo of 8 x 4 pixels."""
    exif = Image.Exif()
    for tag, value in (times or {}).items():
        (exif if tag == CHANGED else exif.get_ifd(ExifTags.IFD.Exif))[tag] = value
    if orientation:
        exif[ExifTags.Base.Orientation] = orientation
    path.parent.mkdir(parents=True, exist_ok=True)
    more: dict = {"xmp": xmp} if xmp else {}
    if xmp and kind == "PNG":
        more = {"pnginfo": PngImagePlugin.PngInfo()}
        more["pnginfo"].add_itxt("XML:com.adobe.xmp", xmp.decode())
    elif xmp and kind == "TIFF":
        exif[XMP_OF_TIFF] = xmp
    Image.new("RGB", (8, 4), "grey").save(path, kind, exif=exif, **more)
    return path


def packet(lightroom: tuple[str, ...] = (), digikam: tuple[str, ...] = ()) -> bytes:
    """Write an XMP packet with tags."""
    bag, seq = ("".join(f"<rdf:li>{escape(tag)}</rdf:li>" for tag in tags) for tags in (lightroom, digikam))
    return f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:lr="http://ns.adobe.com/lightroom/1.0/"
 xmlns:digiKam="http://www.digikam.org/ns/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:subject><rdf:Bag><rdf:li>flat keyword</rdf:li></rdf:Bag></dc:subject>
<lr:hierarchicalSubject><rdf:Bag>{bag}</rdf:Bag></lr:hierarchicalSubject>
<digiKam:TagsList><rdf:Seq>{seq}</rdf:Seq></digiKam:TagsList>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>""".encode()
