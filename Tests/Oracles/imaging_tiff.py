"""Writes Tests/ImagingTests/Fixtures/tiff: small TIFF files of every kind that is read, and some that are not.

    python3 Tests/Oracles/imaging_tiff.py

Needs numpy, tifffile and Pillow (2026.3.3 and 13.0.0 made the files). Sample (y, x, c) is (y · 7919 + x · 104729 + c · 1299709) mod 2^bits, which the
test works out by itself.
"""

import pathlib

import numpy as np
import tifffile
from PIL import Image

OUT = pathlib.Path(__file__).parent.parent / "ImagingTests" / "Fixtures" / "tiff"
OUT.mkdir(exist_ok=True)
HEIGHT, WIDTH = 37, 45


def samples(channels, bits):
    y, x, c = np.mgrid[0:HEIGHT, 0:WIDTH, 0:channels]
    values = (y * 7919 + x * 104729 + c * 1299709) % (1 << bits)
    return values.astype(np.uint8 if bits == 8 else np.uint16)


def write(name, channels, bits, **options):
    values = samples(channels, bits)
    if options.get("planarconfig") == "separate":
        values = np.moveaxis(values, 2, 0)
    elif channels == 1:
        values = values[:, :, 0]
    extra = {"extrasamples": ["unassalpha"]} if channels in (2, 4) else {}
    tifffile.imwrite(OUT / name, values, metadata=None, **extra, **options)


for bits in (8, 16):
    write(f"grey{bits}.tif", 1, bits, photometric="minisblack", rowsperstrip=5)
    write(f"grey{bits}_tiles.tif", 1, bits, photometric="minisblack", tile=(16, 32), byteorder=">")
    write(f"rgb{bits}.tif", 3, bits, photometric="rgb")
    write(f"rgb{bits}_planes_tiles.tif", 3, bits, photometric="rgb", planarconfig="separate", tile=(32, 16))
    write(f"rgba{bits}.tif", 4, bits, photometric="rgb", bigtiff=bits == 16)
    write(f"rgb{bits}_planes.tif", 3, bits, photometric="rgb", planarconfig="separate", rowsperstrip=8)
write("white8.tif", 1, 8, photometric="miniswhite")
for name, compression in [("lzw", "tiff_lzw"), ("deflate", "tiff_adobe_deflate"), ("packbits", "packbits")]:
    Image.fromarray(samples(1, 8)[:, :, 0]).save(OUT / f"grey8_{name}.tif", compression=compression)

# Refused
whole = (OUT / "grey16.tif").read_bytes()
(OUT / "bad_cut.tif").write_bytes(whole[: len(whole) // 2])
(OUT / "bad_cut_deflate.tif").write_bytes((OUT / "grey8_deflate.tif").read_bytes()[:300])
tifffile.imwrite(OUT / "bad_float.tif", np.zeros((4, 4), np.float32), metadata=None)
tifffile.imwrite(OUT / "bad_32bits.tif", np.zeros((4, 4), np.uint32), metadata=None)
tifffile.imwrite(OUT / "bad_pages.tif", np.zeros((3, 4, 4), np.uint8), photometric="minisblack", metadata=None)
huge = bytearray((OUT / "grey8.tif").read_bytes())
at = huge.index(b"\x00\x01\x04\x00\x01\x00\x00\x00" + WIDTH.to_bytes(4, "little"))  # ImageWidth, one 32-bit number
huge[at + 8 : at + 12] = b"\xff\xff\xff\x7f"
(OUT / "bad_claims.tif").write_bytes(huge)
