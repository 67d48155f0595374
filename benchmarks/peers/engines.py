"""A network in an engine: from pixels to probabilities, and from the bytes of a JPEG to an answer."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["ENGINES", "NotMeasuredError", "Runner", "open_bundle", "open_peer", "prepare"]

Network = Callable[[NDArray[np.float32]], object]
ENGINES = ("PyTorch eager", "PyTorch compiled", "ONNX Runtime fp32", "ONNX Runtime int8", "LiteRT fp32")
CALIBRATED_ON = 8


class NotMeasuredError(Exception):
    """Why a cell can't be measured here."""


class Runner:
    """What is timed.

    Attributes:
        network: runs the network alone on a batch that `inputs` makes.
        answer: runs everything, from JPEGs in memory to a list of answers.
        inputs: makes a batch of so many images for `network`.
    """

    def __init__(
        self,
        network: Callable[[NDArray], object],
        answer: Callable[[Sequence[bytes]], object],
        inputs: Callable[[int], NDArray],
    ) -> None:
        self.network, self.answer, self.inputs = network, answer, inputs


def open_bundle(path: Path, threads: int) -> Runner:
    """A bundle as `classify` runs it. Its network alone gets squares of its own size, which it still resizes."""
    from lentigo.runtime import Bundle, Classifier

    bundle = Bundle(path, threads=threads)
    classifier, size = Classifier(bundle, threads=threads), bundle.size

    def inputs(count: int) -> NDArray:
        return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)

    def answer(jpegs: Sequence[bytes]) -> object:
        return classifier.classify(jpegs[0]) if len(jpegs) == 1 else classifier.classify_batch(jpegs)

    return Runner(bundle.predict, answer, inputs)


def open_peer(network: str, engine: str, threads: int, work: Path, size: int) -> Runner:
    """A peer: lentigo's decoder, the usual central square, Pillow's resize and ImageNet's colours, then the engine.

    Nothing is imported that the engine doesn't need: its memory and start-up are its own.

    Raises:
        NotMeasuredError: the engine is missing, or can't run this network.
    """
    run = _OPENERS[engine](network, threads, work)
    mean, std = (np.array(v, np.float32) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))

    def inputs(count: int) -> NDArray:
        return np.random.default_rng(0).standard_normal((count, 3, size, size), dtype=np.float32)

    def prepared(jpeg: bytes) -> NDArray[np.float32]:
        from lentigo.runtime import decode

        pixels = decode(jpeg)
        side = min(pixels.shape[:2])
        top, left = ((length - side) // 2 for length in pixels.shape[:2])
        square = Image.fromarray(pixels[top : top + side, left : left + side])
        small = np.asarray(square.resize((size, size), Image.Resampling.BILINEAR), np.float32) / 255
        return ((small - mean) / std).transpose(2, 0, 1)

    def answer(jpegs: Sequence[bytes]) -> object:
        logits = np.asarray(run(np.ascontiguousarray(np.stack([prepared(jpeg) for jpeg in jpegs]))))
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        return [(int(p.argmax()), float(p.max())) for p in shares]

    return Runner(run, answer, inputs)


def file_of(network: str, engine: str, work: Path) -> Path:
    """The file that an engine opens; PyTorch's holds the weights alone."""
    endings = dict(zip(ENGINES, (".safetensors", ".safetensors", ".onnx", ".int8.onnx", ".tflite"), strict=True))
    return work / "files" / f"{network.replace('/', '_')}{endings[engine]}"


def prepare(network: str, engine: str, work: Path) -> Path:
    """Make the file that an engine opens, unless it is there.

    Raises:
        NotMeasuredError: it can't be made here.
    """
    path = file_of(network, engine, work)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file():
        draft = path.with_name(f"draft-{path.name}")
        _MAKERS[path.name.partition(".")[2]](network, draft, work)
        draft.replace(path)
    return path


def _built(network: str) -> Any:
    import torch
    from networks import CLASSES

    from lentigo import models

    torch.manual_seed(0)
    return models.build(network, num_classes=CLASSES).eval()


def _make_weights(network: str, path: Path, work: Path) -> None:
    from safetensors.torch import save_file

    save_file({k: v.contiguous() for k, v in _built(network).state_dict().items()}, path)


def _make_onnx(network: str, path: Path, work: Path, *, images: int | None = None) -> None:
    """For any number of images, or for so many."""
    import torch

    from lentigo import models

    size = models.entry(network).size
    example = torch.zeros(images or 2, 3, size, size)
    shapes = None if images else ({0: torch.export.Dim("batch", max=64)},)
    program = torch.onnx.export(_built(network), (example,), dynamo=True, dynamic_shapes=shapes, verbose=False)
    program.save(str(path))


def _make_int8(network: str, path: Path, work: Path) -> None:
    """By ONNX Runtime's own tools: static, per channel, calibrated on noise, for only its speed is asked for."""
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    from lentigo import models

    size = models.entry(network).size

    class Noise(CalibrationDataReader):
        def __init__(self, name: str) -> None:
            random = np.random.default_rng(0)
            self.batches = iter(
                [{name: random.standard_normal((2, 3, size, size), dtype=np.float32)} for _ in range(CALIBRATED_ON)]
            )

        def get_next(self) -> dict[str, NDArray] | None:
            return next(self.batches, None)

    import onnxruntime as ort

    source = prepare(network, "ONNX Runtime fp32", work)
    plain = path.with_name(f"plain-{path.name}")
    name = ort.InferenceSession(source).get_inputs()[0].name
    quant_pre_process(str(source), str(plain), skip_symbolic_shape=True)
    quantize_static(
        str(plain),
        str(path),
        Noise(name),
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    plain.unlink()


def _make_tflite(network: str, path: Path, work: Path) -> None:
    """As `lentigo export` makes one of a bundle: by its converter, from a graph of fixed shapes."""
    import onnx

    from lentigo import models
    from lentigo.errors import BundleError
    from lentigo.export.lite.environment import find_environment
    from lentigo.export.lite.write import run_worker

    size = models.entry(network).size
    try:
        python = find_environment()
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            graph = Path(folder) / "core.onnx"
            _make_onnx(network, graph, work, images=1)
            square = np.zeros((1, size, size, 3), np.float32)
            content, _ = run_worker(onnx.load(graph), square, python, name=network)
    except BundleError as error:
        raise NotMeasuredError(error.message) from error
    path.write_bytes(content)


_MAKERS = {"safetensors": _make_weights, "onnx": _make_onnx, "int8.onnx": _make_int8, "tflite": _make_tflite}


def _torch(network: str, threads: int, work: Path, compiled: bool = False) -> Network:
    import torch
    from safetensors.torch import load_file

    torch.set_num_threads(threads)
    module = _built(network)
    module.load_state_dict(load_file(prepare(network, "PyTorch eager", work)))
    forward = torch.compile(module) if compiled else module

    def run(images: NDArray[np.float32]) -> NDArray:
        with torch.inference_mode():
            return forward(torch.from_numpy(images)).numpy()

    return run


def _compiled(network: str, threads: int, work: Path) -> Network:
    return _torch(network, threads, work, compiled=True)


def _onnx(engine: str) -> Callable[[str, int, Path], Network]:
    def opened(network: str, threads: int, work: Path) -> Network:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        session = ort.InferenceSession(prepare(network, engine, work), options, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        return lambda images: session.run(None, {name: images})[0]

    return opened


def _litert(network: str, threads: int, work: Path) -> Network:
    """A file takes one image at a time."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(prepare(network, "LiteRT fp32", work)), num_threads=threads)
    interpreter.allocate_tensors()
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()

    def one(image: NDArray[np.float32]) -> NDArray:
        interpreter.set_tensor(taken["index"], np.ascontiguousarray(image.transpose(1, 2, 0))[None])
        interpreter.invoke()
        return interpreter.get_tensor(given["index"])[0]

    return lambda images: np.stack([one(image) for image in images])


_OPENERS = dict(
    zip(ENGINES, (_torch, _compiled, _onnx("ONNX Runtime fp32"), _onnx("ONNX Runtime int8"), _litert), strict=True)
)
