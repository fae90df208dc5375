"""The door to archives: messages kept as JSON Lines, on disk before anything is deleted, and read back whole or not.

Each line is a message document with two keys more: `queue`, the ARN it was archived from, and `archive`, the id of
the archive. So every line says by itself what it is, and any part of an archive (grep, head, split) can be imported
and still counts as the same records. Lines are ASCII. With a name that ends in `.gz` each append is a gzip member of
its own, so that a tail torn by a crash can be cut off without touching what was confirmed.
"""

from opstool.doors.archive.line import Record
from opstool.doors.archive.reader import Archive, open_archive, open_downloaded, read_archive
from opstool.doors.archive.writer import ArchiveWriter, StreamWriter

__all__ = ["Archive", "ArchiveWriter", "Record", "StreamWriter", "open_archive", "open_downloaded", "read_archive"]
