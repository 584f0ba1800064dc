"""The two figures: the roofline with every layer on it, and how GFLOP/s change along B, N, batch and side."""
import statistics

import drawing
import works

COLOURS = {"U-Net": "#0072b2", "U-Net++": "#d55e00", "U-Net+ (T.C.)": "#009e73", "U-Net+ (U.S.)": "#cc79a7"}
SHAPES = {"inference": "circle", "forward": "square", "backward": "triangle"}


def ceilings_of(lines):
    """threads → (fma GFLOP/s, triad GB/s, L2 GB/s): medians of the probes taken between the measurements."""
    found = {}
    for threads in sorted({int(line["threads"]) for line in lines}):
        own = [line for line in lines if int(line["threads"]) == threads]
        found[threads] = tuple(statistics.median(float(line[key]) for line in own) for key in ("fma_gflops", "triad_gbs", "l2_gbs"))
    return found


def layers_of(lines):
    """One entry a layer: medians over the rounds, with rate (GFLOP/s) and intensity (FLOP a byte)."""
    grouped = {}
    for line in lines:
        # By its place in the step: pools and concatenations have no names.
        grouped.setdefault((line["subject"], line["place"], line["layer"], line["kind"], line["direction"]), []).append(line)
    entries = []
    for (subject, _, layer, kind, direction), group in grouped.items():
        line, milliseconds = group[0], statistics.median(float(g["milliseconds"]) for g in group)
        flops = 2 * int(line["multiply_adds"])
        entries.append({
            "subject": subject, "layer": layer, "kind": kind, "direction": direction, "milliseconds": milliseconds, "mode": line["mode"],
            "threads": int(line["threads"]), "base_filters": int(line["base_filters"]),
            "network": works.NAMES[line["architecture"], line["upsampling"]],
            "gflops": flops / milliseconds / 1e6 if milliseconds else 0.0, "intensity": flops / int(line["bytes"]), "flops": flops})
    return entries


def attainable(entry, ceilings):
    """What the roofline allows the layer: GFLOP/s."""
    fma, triad, _ = ceilings[entry["threads"]]
    return min(fma, triad * entry["intensity"])


def roofline(path, entries, ceilings, isa):
    """Two charts side by side, inference and training, two threads; the layers that compute."""
    chosen, charts = [e for e in entries if e["flops"] and e["threads"] == 2 and e["base_filters"] == 16], []
    x = (0.1, max([1000.0, *(1.3 * e["intensity"] for e in chosen)]))
    fma, triad, l2 = ceilings[2]
    y = (1.0, max([fma, *(e["gflops"] for e in chosen)]) * 1.6)
    for index, mode in enumerate(("infer", "train")):
        title = ("Inference, batch 1" if mode == "infer" else "Training step, a slice of batch 16") + ", B = 16, 2 threads"
        chart = drawing.Chart(80 + index * 600, 60, 520, 430, x, y, title, "arithmetic intensity, FLOP a byte",
                              "GFLOP/s, counted as the direct algorithm's")
        for bandwidth, dash, name in ((triad, "", f"memory {triad:.0f} GB/s"), (l2, "5 4", f"L2 {l2:.0f} GB/s")):
            bend = fma / bandwidth
            chart.line([(x[0], max(bandwidth * x[0], y[0])), (max(bend, x[0]), fma)], drawing.INK, dash)
            # Beside the middle of the slope: the steeper one's name stands above it, the other's below.
            middle = (x[0] * bend) ** 0.5 if not dash else x[0] ** 0.35 * bend ** 0.65
            side, anchor = ((-8, "end") if dash else (10, "start"))
            chart.text(chart.px(middle) + side, chart.py(bandwidth * middle) + (-4 if dash else 12), name, anchor=anchor, size=11)
        chart.line([(fma / l2, fma), (x[1], fma)], drawing.INK)
        chart.text(chart.left + 8, chart.py(fma) - 7, f"{isa} multiply–adds {fma:.0f} GFLOP/s", size=11)
        here = [e for e in chosen if e["mode"] == mode]
        for e in here:
            shape = SHAPES["inference" if mode == "infer" else e["direction"]]
            note = f"{e['network']} {e['layer']} {e['direction']}: {e['gflops']:.0f} GFLOP/s, {e['milliseconds']:.3f} ms"
            chart.point(min(max(e["intensity"], x[0]), x[1]), max(e["gflops"], y[0]), COLOURS[e["network"]], shape, note)
        # The layers that lose most time against the roof are named below: their points lie close together.
        lost = lambda e: e["milliseconds"] - e["flops"] / attainable(e, ceilings) / 1e6
        by_network = {}
        for e in sorted(here, key=lost, reverse=True)[:6]:
            by_network.setdefault(e["network"], {})[e["layer"]] = None
        words = [("most time lost against the roof", drawing.INK)] + [(f"{name}: {', '.join(layers)}", COLOURS[name]) for name, layers in by_network.items()]
        for line, (text, colour) in enumerate(words):
            chart.text(chart.left + 8, chart.top + chart.height - 15 * (len(words) - line) + 6, text, size=10, colour=colour)
        entries_ = [(name, colour, "circle") for name, colour in COLOURS.items()]
        if mode == "train":
            entries_ += [("forward", "#777777", "square"), ("backward (both gradients)", "#777777", "triangle")]
        chart.legend(entries_, chart.left + chart.width - 200, chart.top + chart.height - 18 * len(entries_))
        charts.append(chart)
    return drawing.write(path, 1240, 560, charts)


def growth(path, rates, ceilings):
    """Four small charts. `rates`: (axis, mode, threads) → [(value, GFLOP/s)]."""
    y = (5.0, 1.6 * max([ceilings[2][0], *(rate for line in rates.values() for _, rate in line)]))
    labels = {"B": "filters of the first level, B", "N": "levels, N", "batch": "patches at once", "side": "side of the image, pixels"}
    charts = []
    for index, axis in enumerate(labels):
        names = sorted({value for (a, _, _), line in rates.items() if a == axis for value, _ in line})
        if not names:
            continue
        chart = drawing.Chart(80 + (index % 2) * 480, 50 + (index // 2) * 360, 400, 260, None, y,
                              f"U-Net, along {axis}", labels[axis], "GFLOP/s", names)
        for threads, dash in ((1, "5 4"), (2, "")):
            if threads in ceilings:
                chart.line([(-0.5, ceilings[threads][0]), (len(names) - 0.5, ceilings[threads][0])], "#999999", dash, 1.2)
            for mode, colour, shape in (("infer", "#0072b2", "circle"), ("train", "#d55e00", "square")):
                points = [(names.index(value), rate) for value, rate in sorted(rates.get((axis, mode, threads), ()))]
                chart.line(points, colour, dash)
                for at, rate in points:
                    chart.point(at, rate, colour, shape, f"{axis} = {names[at]}: {rate:.0f} GFLOP/s")
        charts.append(chart)
    if charts:
        charts[-1].legend([("inference, 2 threads", "#0072b2", "line"), ("inference, 1 thread", "#0072b2", "dashes"),
                           ("training, 2 threads", "#d55e00", "line"), ("training, 1 thread", "#d55e00", "dashes"),
                           ("this machine's multiply–adds", "#999999", "line")], charts[-1].left + 12, charts[-1].top + charts[-1].height - 90)
    return drawing.write(path, 1000, 760, charts)
