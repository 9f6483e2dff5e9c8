"""What was done to a picture, told in the picture itself: an entry in the history of its XMP packet.

`xmpMM:History` is XMP's own place for such a record; what the packet held already is kept to the byte.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import escape

NAMESPACE = "urn:artrestore:provenance:1.0/"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_MEDIA = "http://ns.adobe.com/xap/1.0/mm/"
_EVENT = "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#"
_EMPTY = (
    f'<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    f'<rdf:RDF xmlns:rdf="{_RDF}"></rdf:RDF></x:xmpmeta>\n<?xpacket end="w"?>'
)


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """What a picture was restored with. No date, so that the same work gives the same bytes.

    Attributes:
        version: of artrestore.
        weights: SHA-256 of the weight file, in hexadecimal.
        settings: those that the result depends on; JSON's own kinds of values.
    """

    version: str
    weights: str
    settings: Mapping[str, Any] = field(default_factory=dict)


def add_provenance(xmp: bytes | None, provenance: Provenance) -> bytes | None:
    """An XMP packet with one more entry in its history, or None if the packet is damaged or of a foreign build."""
    try:
        packet = _EMPTY if xmp is None else xmp.rstrip(b"\0").decode("utf-8")
        _parse(packet)
        merged = _merged(packet, _entry(provenance))
        _parse(merged)
    except (UnicodeDecodeError, expat.ExpatError, ValueError):
        return None
    return merged.encode("utf-8")


def without_padding(xmp: bytes) -> bytes:
    """The packet without the blanks that leave room to edit it in place."""
    packet, mark, end = xmp.rpartition(b"<?xpacket end")
    return packet.rstrip() + b"\n" + mark + end if mark else xmp


def _entry(provenance: Provenance) -> str:
    settings = json.dumps(provenance.settings, sort_keys=True, ensure_ascii=False)
    return (
        f'<rdf:li xmlns:rdf="{_RDF}" xmlns:stEvt="{_EVENT}" xmlns:artrestore="{NAMESPACE}"'
        ' rdf:parseType="Resource"><stEvt:action>restored</stEvt:action>'
        f"<stEvt:softwareAgent>artrestore {escape(provenance.version)}</stEvt:softwareAgent>"
        f"<stEvt:parameters>{escape(settings)}</stEvt:parameters>"
        f"<artrestore:weights>sha256:{escape(provenance.weights)}</artrestore:weights></rdf:li>"
    )


def _merged(packet: str, entry: str) -> str:
    media = re.search(rf"""xmlns:([\w.-]+)\s*=\s*["']{re.escape(_MEDIA)}["']""", packet)
    if media and re.search(rf"<{media[1]}:History[\s/>]", packet):
        end = re.search(rf"</[\w.-]+:Seq>\s*</{media[1]}:History>", packet)
        if end is None:
            raise ValueError("a history without a sequence")
        return packet[: end.start()] + entry + packet[end.start() :]
    about = re.search(r"""[\w.-]+:about\s*=\s*("[^"]*"|'[^']*')""", packet)
    end = re.search(r"</[\w.-]+:RDF>", packet)
    if end is None:
        raise ValueError("no RDF")
    subject = about[1] if about else '""'
    description = (
        f'<rdf:Description xmlns:rdf="{_RDF}" rdf:about={subject} xmlns:xmpMM="{_MEDIA}">'
        f"<xmpMM:History><rdf:Seq>{entry}</rdf:Seq></xmpMM:History></rdf:Description>"
    )
    return packet[: end.start()] + description + packet[end.start() :]


def _parse(packet: str) -> None:
    """Refuse what is not well-formed, and definitions of types, which XMP forbids and bombs are made of."""

    def refuse(*_: object) -> None:
        raise ValueError("a document type in XMP")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartDoctypeDeclHandler = refuse
    parser.Parse(packet.strip().encode("utf-8"), True)
