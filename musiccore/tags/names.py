"""What each format calls a field: one table for all of them.

A field that is not in the table keeps the name that its file gives it, and travels under it.
"""

from __future__ import annotations

from typing import Final

_FREE: Final = "----:"  # an item of MP4 with a name of its own
_TEXT: Final = "TXXX:"  # a frame of ID3 with a name of its own
_MB: Final = "MusicBrainz "

# Our name, that of Vorbis comments (and APE), the frame of ID3v2.4, the item of MP4.
_ROWS: Final = (
    ("title", "TITLE", "TIT2", "\xa9nam"),
    ("artist", "ARTIST", "TPE1", "\xa9ART"),
    ("album", "ALBUM", "TALB", "\xa9alb"),
    ("date", "DATE", "TDRC", "\xa9day"),
    ("genre", "GENRE", "TCON", "\xa9gen"),
    ("track", "TRACKNUMBER", "TRCK", "trkn"),
    ("comment", "COMMENT", "COMM", "\xa9cmt"),
    ("licence", "LICENSE", "TXXX:LICENSE", "----:LICENSE"),
    ("software", "ENCODER", "TSSE", "\xa9too"),
    ("lyrics", "LYRICS", "USLT", "\xa9lyr"),
    ("copyright", "COPYRIGHT", "TCOP", "cprt"),
    ("album_artist", "ALBUMARTIST", "TPE2", "aART"),
    ("composer", "COMPOSER", "TCOM", "\xa9wrt"),
    ("disc", "DISCNUMBER", "TPOS", "disk"),
    ("disc_subtitle", "DISCSUBTITLE", "TSST", "----:DISCSUBTITLE"),
    ("compilation", "COMPILATION", "TCMP", "cpil"),
    ("bpm", "BPM", "TBPM", "tmpo"),
    ("key", "KEY", "TKEY", "----:initialkey"),
    ("isrc", "ISRC", "TSRC", "----:ISRC"),
    ("barcode", "BARCODE", "TXXX:BARCODE", "----:BARCODE"),
    ("catalog_number", "CATALOGNUMBER", "TXXX:CATALOGNUMBER", "----:CATALOGNUMBER"),
    ("publisher", "LABEL", "TPUB", "----:LABEL"),
    ("conductor", "CONDUCTOR", "TPE3", "\xa9con"),
    ("remixer", "REMIXER", "TPE4", "----:REMIXER"),
    ("lyricist", "LYRICIST", "TEXT", "----:LYRICIST"),
    ("writer", "WRITER", "TXXX:Writer", "----:WRITER"),
    ("arranger", "ARRANGER", "TIPL:arranger", "----:ARRANGER"),
    ("engineer", "ENGINEER", "TIPL:engineer", "----:ENGINEER"),
    ("producer", "PRODUCER", "TIPL:producer", "----:PRODUCER"),
    ("dj_mixer", "DJMIXER", "TIPL:DJ-mix", "----:DJMIXER"),
    ("mixer", "MIXER", "TIPL:mix", "----:MIXER"),
    ("performer", "PERFORMER", "TMCL", "----:PERFORMER"),
    ("subtitle", "SUBTITLE", "TIT3", "----:SUBTITLE"),
    ("grouping", "GROUPING", "TIT1", "\xa9grp"),
    ("work", "WORK", "TXXX:WORK", "\xa9wrk"),
    ("movement_name", "MOVEMENTNAME", "MVNM", "\xa9mvn"),
    ("movement_number", "MOVEMENT", "MVIN", "\xa9mvi"),
    ("movement_total", "MOVEMENTTOTAL", "TXXX:MOVEMENTTOTAL", "\xa9mvc"),
    ("mood", "MOOD", "TMOO", "----:MOOD"),
    ("media", "MEDIA", "TMED", "----:MEDIA"),
    ("language", "LANGUAGE", "TLAN", "----:LANGUAGE"),
    ("script", "SCRIPT", "TXXX:SCRIPT", "----:SCRIPT"),
    ("encoded_by", "ENCODEDBY", "TENC", "\xa9enc"),
    ("encoder_settings", "ENCODERSETTINGS", "TXXX:ENCODERSETTINGS", "----:ENCODERSETTINGS"),
    ("original_date", "ORIGINALDATE", "TDOR", "----:ORIGINALDATE"),
    ("release_date", "RELEASEDATE", "TDRL", "----:RELEASEDATE"),
    ("encoding_date", "ENCODINGTIME", "TDEN", "----:ENCODINGTIME"),
    ("tagging_date", "TAGGINGDATE", "TDTG", "----:TAGGINGDATE"),
    ("original_album", "ORIGINALALBUM", "TOAL", "----:ORIGINALALBUM"),
    ("original_artist", "ORIGINALARTIST", "TOPE", "----:ORIGINALARTIST"),
    ("original_lyricist", "ORIGINALLYRICIST", "TOLY", "----:ORIGINALLYRICIST"),
    ("original_filename", "ORIGINALFILENAME", "TOFN", "----:ORIGINALFILENAME"),
    ("owner", "OWNER", "TOWN", "ownr"),
    ("produced", "PRODUCEDNOTICE", "TPRO", "----:PRODUCEDNOTICE"),
    ("radio_station", "RADIOSTATION", "TRSN", "----:RADIOSTATION"),
    ("radio_owner", "RADIOOWNER", "TRSO", "----:RADIOOWNER"),
    ("length", "LENGTH", "TLEN", "----:LENGTH"),
    ("playlist_delay", "PLAYLISTDELAY", "TDLY", "----:PLAYLISTDELAY"),
    ("file_type", "FILETYPE", "TFLT", "----:FILETYPE"),
    ("podcast_category", "PODCASTCATEGORY", "TCAT", "catg"),
    ("podcast_keywords", "PODCASTKEYWORDS", "TKWD", "keyw"),
    ("podcast_id", "PODCASTID", "TGID", "egid"),
    ("synopsis", "SYNOPSIS", "TDES", "ldes"),
    ("description", "DESCRIPTION", "TXXX:DESCRIPTION", "desc"),
    ("show", "SHOW", "TXXX:SHOW", "tvsh"),
    ("show_sort", "SHOWSORT", "TXXX:SHOWSORT", "sosn"),
    ("title_sort", "TITLESORT", "TSOT", "sonm"),
    ("artist_sort", "ARTISTSORT", "TSOP", "soar"),
    ("album_sort", "ALBUMSORT", "TSOA", "soal"),
    ("album_artist_sort", "ALBUMARTISTSORT", "TSO2", "soaa"),
    ("composer_sort", "COMPOSERSORT", "TSOC", "soco"),
    ("website", "WEBSITE", "WOAR", "----:WEBSITE"),
    ("commercial_website", "COMMERCIALWEBSITE", "WCOM", "----:COMMERCIALWEBSITE"),
    ("copyright_website", "COPYRIGHTWEBSITE", "WCOP", "----:COPYRIGHTWEBSITE"),
    ("file_website", "FILEWEBSITE", "WOAF", "----:FILEWEBSITE"),
    ("source_website", "SOURCEWEBSITE", "WOAS", "----:SOURCEWEBSITE"),
    ("radio_website", "RADIOWEBSITE", "WORS", "----:RADIOWEBSITE"),
    ("payment_website", "PAYMENTWEBSITE", "WPAY", "----:PAYMENTWEBSITE"),
    ("publisher_website", "PUBLISHERWEBSITE", "WPUB", "----:PUBLISHERWEBSITE"),
    ("podcast_website", "PODCASTURL", "WFED", "purl"),
    ("artists", "ARTISTS", "TXXX:ARTISTS", "----:ARTISTS"),
    ("asin", "ASIN", "TXXX:ASIN", "----:ASIN"),
    ("track_total", "TRACKTOTAL", "TXXX:TRACKTOTAL", "----:TRACKTOTAL"),
    ("disc_total", "DISCTOTAL", "TXXX:DISCTOTAL", "----:DISCTOTAL"),
    ("musicbrainz_trackid", "MUSICBRAINZ_TRACKID", "TXXX:MUSICBRAINZ_TRACKID",
     f"{_FREE}{_MB}Track Id"),
    ("release_status", "RELEASESTATUS", f"{_TEXT}{_MB}Album Status", f"{_FREE}{_MB}Album Status"),
    ("release_type", "RELEASETYPE", f"{_TEXT}{_MB}Album Type", f"{_FREE}{_MB}Album Type"),
    ("release_country", "RELEASECOUNTRY", f"{_TEXT}{_MB}Album Release Country",
     f"{_FREE}{_MB}Album Release Country"),
    ("acoustid_id", "ACOUSTID_ID", f"{_TEXT}Acoustid Id", f"{_FREE}Acoustid Id"),
    ("acoustid_fingerprint", "ACOUSTID_FINGERPRINT", f"{_TEXT}Acoustid Fingerprint",
     f"{_FREE}Acoustid Fingerprint"),
    *((f"musicbrainz_{key}", f"MUSICBRAINZ_{key.upper()}", f"{_TEXT}{_MB}{words}",
       f"{_FREE}{_MB}{words}") for key, words in (
        ("releasetrackid", "Release Track Id"), ("albumid", "Album Id"), ("artistid", "Artist Id"),
        ("albumartistid", "Album Artist Id"), ("releasegroupid", "Release Group Id"),
        ("workid", "Work Id"), ("trmid", "TRM Id"), ("discid", "Disc Id"),
        ("originalalbumid", "Original Album Id"), ("originalartistid", "Original Artist Id"))),
    *((f"replaygain_{key}", f"REPLAYGAIN_{key.upper()}", f"{_TEXT}REPLAYGAIN_{key.upper()}",
       f"{_FREE}replaygain_{key}") for key in (
        "track_gain", "track_peak", "track_range", "album_gain", "album_peak", "album_range",
        "reference_loudness")),
)  # fmt: skip

VORBIS: Final = {name: vorbis for name, vorbis, _, _ in _ROWS}
ID3: Final = {name: frame for name, _, frame, _ in _ROWS}
MP4: Final = {name: item for name, _, _, item in _ROWS}

INFO: Final = {
    "title": b"INAM", "artist": b"IART", "album": b"IPRD", "date": b"ICRD", "genre": b"IGNR",
    "track": b"ITRK", "comment": b"ICMT", "copyright": b"ICOP", "software": b"ISFT",
    "engineer": b"IENG", "language": b"ILNG", "encoded_by": b"ITCH", "composer": b"IMUS",
    "subject": b"ISBJ", "keywords": b"IKEY", "source": b"ISRC", "medium": b"IMED",
    "commissioned": b"ICMS", "archival_location": b"IARL", "lyricist": b"IWRI",
}  # fmt: skip
"""Chunks of RIFF's LIST/INFO."""

_ALIASES: Final = {  # other names that files use
    "album artist": "album_artist", "albumartistsortorder": "album_artist_sort",
    "disc": "disc", "disk": "disc", "discnumber": "disc", "disknumber": "disc",
    "tracktotal": "track_total", "totaltracks": "track_total", "disctotal": "disc_total",
    "totaldiscs": "disc_total", "encoded-by": "encoded_by", "encoded by": "encoded_by",
    "mixartist": "remixer", "initialkey": "key", "initial key": "key", "tempo": "bpm",
    "copyright": "copyright", "licence": "licence", "musicbrainz track id": "musicbrainz_trackid",
    "encoding application": "software", "fbpm": "bpm", "part": "subtitle",
    "movementnumber": "movement_number",
}  # fmt: skip

WEAK: Final = {
    "YEAR": "date", "TRACK": "track", "DESCRIPTION": "comment", "UNSYNCEDLYRICS": "lyrics",
    "UNSYNCED LYRICS": "lyrics", "ORGANIZATION": "publisher", "PUBLISHER": "publisher",
}  # fmt: skip
"""Names that mean a field of ours only where the file has no better one; in capitals."""


def _known() -> dict[str, str]:
    known = dict(_ALIASES)
    for name, *others in _ROWS:
        known[name] = name
        for other in others:
            known.setdefault(other.removeprefix(_FREE).removeprefix(_TEXT).casefold(), name)
    return known


_KNOWN: Final = _known()


def canonical(name: str) -> str:
    """Return our name of a field that a file names freely; an unknown name is left as it is."""
    name = name.strip()
    return _KNOWN.get(name.casefold(), name) or "untitled"


def vorbis_name(name: str) -> str:
    """Return what Vorbis comments call a field of ours: ASCII without an equals sign."""
    known = VORBIS.get(name, name)
    return "".join(letter if " " <= letter <= "}" and letter != "=" else "_" for letter in known)
