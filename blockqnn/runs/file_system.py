"""What kind of file system a path is on, as far as a store must know."""

from __future__ import annotations

import pathlib

MOUNTS = pathlib.Path("/proc/self/mountinfo")
"""Where Linux lists what is mounted; elsewhere nothing is known."""

_NETWORK = (
    "9p",
    "afs",
    "beegfs",
    "ceph",
    "cifs",
    "fuse.ceph",
    "fuse.cephfs",
    "fuse.gcsfuse",
    "fuse.glusterfs",
    "fuse.s3fs",
    "fuse.sshfs",
    "gfs2",
    "glusterfs",
    "gpfs",
    "lustre",
    "ncpfs",
    "nfs",
    "nfs4",
    "ocfs2",
    "orangefs",
    "panfs",
    "smb2",
    "smb3",
    "smbfs",
    "wekafs",
)


def network_file_system(path: pathlib.Path, mounts: pathlib.Path = MOUNTS) -> str | None:
    """The kind of network file system that a path is on.

    Args:
        path: of a directory that exists.
        mounts: what is mounted, in Linux' own form.

    Returns:
        Its name, such as `nfs4`; None for a local one, or where nothing is known.
    """
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    where, found = path.resolve(), ("", "")
    for line in lines:
        before, separator, after = line.partition(" - ")
        fields = before.split()
        if not separator or len(fields) < 5 or not after.split():
            continue
        # Spaces and the like are written as octal numbers.
        point = pathlib.Path(fields[4].encode().decode("unicode_escape"))
        # What is mounted later hides what was mounted there before.
        if (point == where or point in where.parents) and len(str(point)) >= len(found[0]):
            found = (str(point), after.split()[0])
    return found[1] if found[1] in _NETWORK else None
