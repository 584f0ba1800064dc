"""What is measured: a piece of work, and the rows of the comparison with what each must reach."""
import dataclasses

NAMES = {("unet", ""): "U-Net", ("unet++", ""): "U-Net++",
         ("unet+", "transposed"): "U-Net+ (T.C.)", ("unet+", "nearest"): "U-Net+ (U.S.)"}


@dataclasses.dataclass(frozen=True)
class Work:
    """One network, worked in one way; the fields are those of `runner bench`."""
    architecture: str = "unet"
    upsampling: str = ""  # U-Net+ alone has it
    base_filters: int = 16
    depth: int = 5
    mode: str = "infer"
    batch: int = 1
    threads: int = 2
    precision: str = "f32"
    side: int = 256

    @property
    def network(self):
        return NAMES[self.architecture, self.upsampling]

    @property
    def title(self):
        what = "inference" if self.mode == "infer" else "training step"
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        unusual = (f", N = {self.depth}" if self.depth != 5 else "") + (f", {self.side} × {self.side}" if self.side != 256 else "")
        return f"{self.network} B = {self.base_filters}{unusual}, {what}, {self.precision}, batch {self.batch}, {threads}"

    def options(self, *left_out):
        """As command-line options, which ours and the peers' scripts share."""
        words = []
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value != "" and field.name not in left_out:
                words += ["--" + field.name.replace("_", "-"), str(value)]
        return words


@dataclasses.dataclass(frozen=True)
class Preprocessing(Work):
    """CLAHE, total variation and rescaling of one image after the other, with the spec's default settings."""
    architecture: str = ""
    base_filters: int | str = ""
    depth: int | str = ""
    mode: str = "preprocess"
    threads: int = 1
    precision: str = ""
    side: int | str = ""

    @property
    def title(self):
        return "CLAHE and total variation of a 512 × 640 image, 1 thread"


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the comparison: ours against the best of its peers, in one measure."""
    work: Work
    peers: tuple   # the first is the one to beat; a quick run takes it alone
    bound: float   # ours / best peer must be at most this
    aim: float
    measure: str = "ms_per_patch"  # or peak_rss_mb, startup_ms
    quick: bool = False

    @property
    def title(self):
        if self.measure == "peak_rss_mb":
            return f"peak resident memory: {self.work.title}"
        if self.measure == "startup_ms":
            return f"process start to first prediction: {self.work.network} B = {self.work.base_filters}"
        return self.work.title

    @property
    def unit(self):
        return {"ms_per_patch": "ms an image" if self.work.mode == "preprocess" else "ms a patch", "peak_rss_mb": "MB", "startup_ms": "ms"}[self.measure]


INFERENCE = Work()
TRAINING = Work(mode="train", batch=16)
NETWORKS = tuple({"architecture": a, "upsampling": u} for a, u in NAMES)
INFERENCE_PEERS = ("openvino", "onnxruntime", "tensorflow", "torch-tuned")
TRAINING_PEERS = ("tensorflow", "torch-tuned")


def with_(work, **changes):
    return dataclasses.replace(work, **changes)


ROWS = (
    Row(INFERENCE, INFERENCE_PEERS, 0.75, 0.5, quick=True),
    Row(with_(INFERENCE, threads=1), INFERENCE_PEERS, 0.75, 0.5),
    Row(TRAINING, TRAINING_PEERS, 0.75, 0.5, quick=True),
    Row(with_(TRAINING, architecture="unet++"), TRAINING_PEERS, 0.6, 0.4),
    Row(with_(TRAINING, architecture="unet+", upsampling="transposed"), TRAINING_PEERS, 0.6, 0.4),
    Row(with_(TRAINING, architecture="unet+", upsampling="nearest"), TRAINING_PEERS, 0.6, 0.4),
    Row(with_(INFERENCE, base_filters=8), ("openvino", "onnxruntime"), 0.75, 0.5),
    Row(with_(TRAINING, base_filters=8), TRAINING_PEERS, 0.75, 0.5),
    Row(with_(TRAINING, precision="bf16"), TRAINING_PEERS, 0.75, 0.4),
    Row(with_(INFERENCE, precision="bf16"), ("openvino",), 1.0, 0.7),
    *(Row(with_(TRAINING, **network), ("tensorflow",), 0.4, 0.25, measure="peak_rss_mb",
          quick=network["architecture"] == "unet") for network in NETWORKS),
    # The bound is on OpenVINO's import and compilation; onnxruntime, which compiles less, starts faster.
    Row(INFERENCE, ("openvino",), 0.3, 0.1, measure="startup_ms", quick=True),
    Row(INFERENCE, ("onnxruntime",), 1.0, 0.3, measure="startup_ms"),
    Row(Preprocessing(), ("scikit-image",), 0.2, 0.1),
)


def growth():
    """How cost grows along one axis at a time, from U-Net B = 16: (axis, value, work)."""
    for threads in (1, 2):
        for start in (INFERENCE, TRAINING):
            start = with_(start, threads=threads)
            for base in (4, 8, 16, 32):
                yield "B", base, with_(start, base_filters=base)
            for depth in (3, 4, 5, 6):
                yield "N", depth, with_(start, depth=depth)
            for batch in (1, 2, 4, 8, 16, 32):
                yield "batch", batch, with_(start, batch=batch)
            for side in (128, 256, 512, 1024):
                # A training step keeps its number of pixels (16 patches of 256 × 256), so that memory stays the same.
                batch = 1 if start.mode == "infer" else 16 * 256 * 256 // (side * side)
                yield "side", side, with_(start, side=side, batch=batch)


def by_layer():
    """The works whose layers are timed one by one."""
    for start in (INFERENCE, TRAINING):
        for network in NETWORKS:
            yield with_(start, **network)
        yield with_(start, base_filters=8)
    yield with_(INFERENCE, threads=1)
