#!/usr/bin/env python3
"""Makes the tree of a system with many small files.

    scale-tree.py DIRECTORY NAMES PERCENT

NAMES files of 0.2 to 2 KB, a hundred in a directory. PERCENT of them, spread evenly, have other content and a later time than
in the first version, which is that of 0 percent. The same arguments make the same tree.
"""

import hashlib
import os
import sys

root, names, percent = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
FIRST, LATER = 1_600_000_000, 1_650_000_000


def write(path, content, time=FIRST, mode=0o644):
    path = os.path.join(root, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)
    os.chmod(path, mode)
    os.utime(path, (time, time))


for directory in ("etc", "usr/bin", "usr/lib/systemd", "var"):
    os.makedirs(os.path.join(root, directory))
program = open("/bin/true", "rb").read()
write("usr/bin/sh", program, mode=0o755)
write("usr/lib/systemd/systemd", program, mode=0o755)
os.symlink("usr/bin", os.path.join(root, "bin"))
write("usr/lib/os-release", b"ID=debian\nVERSION_ID=1\n")
write("etc/passwd", b"root:x:0:0::/root:/bin/sh\n")
write("etc/group", b"root:x:0:\n")

changed = 0
for number in range(names):
    # Evenly spread: the running sum of the share passes a whole number.
    differs = int((number + 1) * percent / 100) > int(number * percent / 100)
    changed += differs
    noise = hashlib.shake_128(f"{number} {differs}".encode()).digest(502)
    size = 200 + int.from_bytes(noise[:2], "big") % 1800
    # A half that does not compress, and one that does.
    content = (noise[2:] + bytes(500)) * 2
    write(f"usr/share/scale/{number // 10_000:04}/{number // 100 % 100:02}/file-{number:08}", content[:size], LATER if differs else FIRST)
for directory, _, _ in os.walk(root, topdown=False):
    os.utime(directory, (FIRST, FIRST))
print(f"{names} files, {changed} changed", file=sys.stderr)
