"""Writes Tests/ImagingTests/Fixtures/png: a PNG of every colour type, bit depth and interlacing, and what a reader must make of it.

    python3 Tests/Oracles/imaging_png.py

The files are put together here from the PNG specification (ISO/IEC 15948) with zlib alone, so that libpng is not checked
against itself. png.json holds width, height, channels, bit depth and samples after palette and transparency are expanded.
"""

import json
import pathlib
import random
import struct
import zlib

OUT = pathlib.Path(__file__).parent.parent / "ImagingTests" / "Fixtures" / "png"
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
NAMES = {0: "grey", 2: "rgb", 3: "palette", 4: "greyalpha", 6: "rgba"}
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def pack_row(row, depth):
    """Samples of one row, packed from the high bits down."""
    if depth == 16:
        return struct.pack(f">{len(row)}H", *row)
    bits = "".join(format(v, f"0{depth}b") for v in row)
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))


def paeth(a, b, c):
    p = a + b - c
    pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
    return a if pa <= pb and pa <= pc else b if pb <= pc else c


def filtered(rows, step):
    """Rows with filter types 0…4 in turn."""
    out, above = b"", bytes(len(rows[0]))
    for y, row in enumerate(rows):
        kind = y % 5
        line = bytearray()
        for i, x in enumerate(row):
            a = row[i - step] if i >= step else 0
            b = above[i]
            c = above[i - step] if i >= step else 0
            line.append((x - [0, a, b, (a + b) // 2, paeth(a, b, c)][kind]) % 256)
        out += bytes([kind]) + bytes(line)
        above = row
    return out


def encode(width, height, kind, depth, pixels, interlaced, palette=None, transparent=None):
    channels = CHANNELS[kind]
    step = max(1, channels * depth // 8)
    passes = ADAM7 if interlaced else [(0, 0, 1, 1)]
    raw = b""
    for x0, y0, dx, dy in passes:
        rows = [
            pack_row([v for x in range(x0, width, dx) for v in pixels[y][x]], depth) for y in range(y0, height, dy)
        ]
        if rows and rows[0]:
            raw += filtered(rows, step)
    out = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlaced))
    if palette:
        out += chunk(b"PLTE", bytes(v for colour in palette for v in colour))
    if transparent is not None:
        out += chunk(b"tRNS", transparent)
    return out + chunk(b"IDAT", zlib.compress(raw, 9)) + chunk(b"IEND", b"")


def expected(kind, depth, pixels, palette, transparent):
    """Samples after expansion: sub-byte grey spread over 0…255, palette looked up, tRNS as alpha."""
    full = 65535 if depth == 16 else 255
    rows = []
    for row in pixels:
        for p in row:
            if kind == 3:
                colour = list(palette[p[0]])
                if transparent is not None:
                    colour.append(transparent[p[0]] if p[0] < len(transparent) else 255)
            else:
                spread = 255 // (2**depth - 1) if depth < 8 else 1
                colour = [v * spread for v in p]
                if transparent is not None:
                    key = list(struct.unpack(f">{len(p)}H", transparent))
                    colour.append(0 if list(p) == key else full)
            rows.extend(colour)
    return rows


def main():
    random.seed(8)
    OUT.mkdir(parents=True, exist_ok=True)
    for old in OUT.glob("*.png"):
        old.unlink()
    cases = []
    for kind, depths in DEPTHS.items():
        for depth in depths:
            for interlaced in (0, 1):
                for clear in (False, True):
                    if clear and kind in (4, 6):
                        continue
                    for width, height in ((9, 7), (1, 1)):
                        palette = transparent = None
                        limit = 2**depth
                        if kind == 3:
                            limit = min(limit, 200)
                            palette = [tuple(random.randrange(256) for _ in range(3)) for _ in range(limit)]
                        pixels = [
                            [[random.randrange(limit) for _ in range(CHANNELS[kind])] for _ in range(width)]
                            for _ in range(height)
                        ]
                        if clear and kind == 3:
                            transparent = bytes(random.randrange(256) for _ in range(max(1, limit // 2)))
                        elif clear:
                            transparent = struct.pack(f">{CHANNELS[kind]}H", *pixels[height // 2][width // 2])
                        name = f"{NAMES[kind]}{depth}{'_trns' if clear else ''}{'_adam7' if interlaced else ''}_{width}x{height}.png"
                        data = encode(width, height, kind, depth, pixels, interlaced, palette, transparent)
                        (OUT / name).write_bytes(data)
                        samples = expected(kind, depth, pixels, palette, transparent)
                        cases.append(
                            dict(
                                file=name,
                                width=width,
                                height=height,
                                channels=len(samples) // (width * height),
                                bitDepth=16 if depth == 16 else 8,
                                samples=samples,
                            )
                        )
    text = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    (OUT / "png.json").write_text(f"[\n{text}\n]\n")
    # A header that claims more than any machine should allocate for, with next to nothing behind it.
    for name, width, height in (("claims_100000x100000", 100_000, 100_000), ("claims_2147483647x1", 2**31 - 1, 1)):
        head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 6, 0, 0, 0))
        data = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
        (OUT / f"{name}.png").write_bytes(data)


if __name__ == "__main__":
    main()
