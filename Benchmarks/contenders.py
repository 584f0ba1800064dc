"""Who does the work: our program and the peers, each as a command that prints one line of JSON."""
import dataclasses
import os
import pathlib

HERE = pathlib.Path(__file__).resolve().parent

# glibc told to keep freed memory: otherwise PyTorch pays page faults for every tensor of every step.
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "17179869184", "MALLOC_TRIM_THRESHOLD_": "17179869184", "MALLOC_TOP_PAD_": "268435456"}

TITLES = {
    "ours": "ours", "openvino": "OpenVINO", "onnxruntime": "onnxruntime", "tensorflow": "TensorFlow/Keras",
    "scikit-image": "scikit-image", "torch-tuned": "PyTorch (channels last, malloc kept, denormals flushed)",
}
SHORT = {**TITLES, "torch-tuned": "PyTorch, tuned"}


@dataclasses.dataclass(frozen=True)
class Contenders:
    runner: pathlib.Path
    peers: pathlib.Path    # v/ and vtf/: virtual environments
    models: pathlib.Path   # ONNX files

    @property
    def torch_python(self):
        return self.peers / "v" / "bin" / "python"

    @property
    def keras_python(self):
        return self.peers / "vtf" / "bin" / "python"

    def python(self, name):
        return self.keras_python if name in ("tensorflow", "scikit-image") else self.torch_python

    def there(self, name):
        return name == "ours" or self.python(name).exists()

    def model(self, work):
        return self.models / f"{work.architecture}_{work.base_filters}.onnx"

    def command(self, name, work, seconds, layers=False):
        """The command and what it needs in its environment."""
        timing = ["--seconds", str(seconds)]
        if name == "ours":
            return [str(self.runner), "bench", *work.options(), *timing, "--json", *(["--layers"] if layers else [])], {}
        python = str(self.python(name))
        if name in ("openvino", "onnxruntime"):
            script = [python, str(HERE / "peers" / "ort_openvino.py"), str(self.model(work)), "--engine", name]
            return script + work.options("architecture", "upsampling", "base_filters", "depth", "mode") + timing, {}
        if name == "tensorflow":
            script = [python, str(HERE / "peers" / "keras_unet.py"), *work.options(), *timing]
            return script, {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
        if name == "scikit-image":
            return [python, str(HERE / "peers" / "skimage_preprocess.py"), *timing], {}
        if name == "torch-tuned":
            return [python, str(HERE / "peers" / "torch_unet.py"), *work.options(), *timing, "--layout", "nhwc", "--flush-denormals"], KEEP_MEMORY
        raise ValueError(name)

    def environment(self, extra):
        return {**os.environ, **extra}
