"""Charts as SVG, written by hand: logarithmic axes, lines, points, labels; PNG through rsvg-convert where it is installed."""
import html
import math
import shutil
import subprocess

INK, FAINT = "#222222", "#d9d9d9"


class Chart:
    """One plot area with two axes, of which `x` may be categorical (evenly spaced names)."""

    def __init__(self, left, top, width, height, x, y, title, x_label, y_label, names=None):
        (self.left, self.top, self.width, self.height) = (left, top, width, height)
        (self.x, self.y, self.names, self.parts) = (x, y, names, [])
        self.text(left, top - 12, title, size=14, weight="bold")
        self.text(left + width / 2, top + height + 38, x_label, anchor="middle")
        self.parts.append(f'<text transform="translate({left - 44:.1f} {top + height / 2:.1f}) rotate(-90)" text-anchor="middle" '
                          f'font-size="12" fill="{INK}">{html.escape(y_label)}</text>')
        for value in decades(*y):
            self._grid(self.left, self.py(value), self.left + width, self.py(value))
            self.text(left - 6, self.py(value) + 4, f"{value:g}", anchor="end", size=11)
        for index, value in enumerate(names if names else decades(*x)):
            at = self.px(index if names else value)
            self._grid(at, top, at, top + height)
            self.text(at, top + height + 18, f"{value}" if names else f"{value:g}", anchor="middle", size=11)
        self.parts.append(f'<rect x="{left}" y="{top}" width="{width}" height="{height}" fill="none" stroke="{INK}"/>')

    def px(self, value):
        if self.names:
            return self.left + self.width * (value + 0.5) / len(self.names)
        low, high = self.x
        return self.left + self.width * math.log(value / low) / math.log(high / low)

    def py(self, value):
        low, high = self.y
        return self.top + self.height * (1 - math.log(max(value, low) / low) / math.log(high / low))

    def _grid(self, x1, y1, x2, y2):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{FAINT}"/>')

    def text(self, x, y, words, anchor="start", size=12, weight="normal", colour=INK):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" '
                          f'fill="{colour}">{html.escape(words)}</text>')

    def line(self, points, colour, dash="", width=1.8):
        path = " ".join(f"{self.px(x):.1f},{self.py(y):.1f}" for x, y in points)
        self.parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"'
                          + (f' stroke-dasharray="{dash}"' if dash else "") + "/>")

    def point(self, x, y, colour, shape="circle", note=""):
        at, up, title = self.px(x), self.py(y), f"<title>{html.escape(note)}</title>"
        style = f'fill="{colour}" fill-opacity="0.75" stroke="white" stroke-width="0.6"'
        if shape == "circle":
            self.parts.append(f'<circle cx="{at:.1f}" cy="{up:.1f}" r="4.5" {style}>{title}</circle>')
        elif shape == "square":
            self.parts.append(f'<rect x="{at - 4:.1f}" y="{up - 4:.1f}" width="8" height="8" {style}>{title}</rect>')
        else:
            self.parts.append(f'<path d="M{at:.1f},{up - 5:.1f} l5,9 h-10 z" {style}>{title}</path>')

    def legend(self, entries, x, y):
        """entries: (words, colour, shape or "line" or "dashes")."""
        for index, (words, colour, shape) in enumerate(entries):
            at = y + 18 * index
            if shape in ("line", "dashes"):
                dash = ' stroke-dasharray="5 4"' if shape == "dashes" else ""
                self.parts.append(f'<line x1="{x}" y1="{at}" x2="{x + 22}" y2="{at}" stroke="{colour}" stroke-width="2"{dash}/>')
            elif shape == "circle":
                self.parts.append(f'<circle cx="{x + 11}" cy="{at}" r="4.5" fill="{colour}"/>')
            elif shape == "square":
                self.parts.append(f'<rect x="{x + 7}" y="{at - 4}" width="8" height="8" fill="{colour}"/>')
            else:
                self.parts.append(f'<path d="M{x + 11},{at - 5} l5,9 h-10 z" fill="{colour}"/>')
            self.text(x + 28, at + 4, words, size=12)


def decades(low, high):
    """1, 2, 5 of every power of ten between the ends; the ones alone where the axis is long."""
    steps = (1, 2, 5) if high / low < 200 else (1,)
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return [step * 10.0 ** power for power in range(first, last + 1) for step in steps if low <= step * 10.0 ** power <= high]


def write(path, width, height, charts):
    """Writes `path`.svg, and `path`.png where rsvg-convert is there.

    Returns: whether the PNG was written."""
    body = "\n".join(part for chart in charts for part in chart.parts)
    svg = path.with_suffix(".svg")
    svg.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
                   f'font-family="DejaVu Sans, Helvetica, sans-serif">\n<rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n')
    converter = shutil.which("rsvg-convert")
    if converter:
        subprocess.run([converter, "--zoom", "2", "--output", str(path.with_suffix(".png")), str(svg)], check=True)
    return bool(converter)
