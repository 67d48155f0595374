"""Packed bundles: the same model as the plain file, opened within a limit, and refused with a reason otherwise."""

import os
import struct
import subprocess
import sys

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from lentigo import Classifier
from lentigo.errors import BundleError
from lentigo.runtime import Bundle, packed
from lentigo.runtime.packed import is_packed, pack, unpacked

NOISE = np.random.default_rng(0).integers(0, 256, (2, 40, 50, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def plain(bundle_path):
    return bundle_path.read_bytes()


@pytest.fixture(scope="module")
def packed_path(plain, tmp_path_factory):
    path = tmp_path_factory.mktemp("packed") / "tiny.onnx.zst"
    path.write_bytes(pack(plain))
    return path


def frame(content, *, states_size=True, **options):
    options.setdefault("level", 3)
    compressor = zstandard.ZstdCompressor(write_content_size=states_size, **options)
    return compressor.compress(content)


class TestTheSameModel:
    def test_outputs_and_hash(self, bundle_path, packed_path):
        a, b = Bundle(bundle_path), Bundle(packed_path)
        assert a.sha256 == b.sha256
        assert a.metadata == b.metadata
        for one, other in zip(a.predict(NOISE), b.predict(NOISE), strict=True):
            np.testing.assert_array_equal(one, other)

    def test_verdicts(self, bundle_path, packed_path, photo):
        a, b = (Classifier.load(path).classify(photo).to_dict() for path in (bundle_path, packed_path))
        assert a == b

    def test_a_name_decides_nothing(self, packed_path, plain, tmp_path):
        for name, content in (("x.onnx", packed_path.read_bytes()), ("y.onnx.zst", plain)):
            (tmp_path / name).write_bytes(content)
            assert Bundle(tmp_path / name).sha256 == Bundle(packed_path).sha256

    def test_it_opens_from_the_command_line(self, run, packed_path, photo):
        code, out, err = run("classify", photo, "--model", packed_path, "--format", "csv")
        assert code in (0, 4), err
        assert "tiny" in out

    def test_the_same_bytes_again(self, plain):
        assert pack(plain) == pack(plain)
        assert len(pack(plain)) < len(plain)

    @settings(max_examples=25, deadline=None)
    @given(content=st.binary(max_size=5000), times=st.integers(1, 300))
    def test_any_content_returns(self, content, times):
        assert is_packed(pack(content * times))
        assert unpacked(pack(content * times), "x") == content * times


FAULTS = {
    "no stated size": (lambda c: frame(c, states_size=False), "does not state its unpacked size"),
    "two frames": (lambda c: frame(c) + frame(c), "something follows the bundle"),
    "an empty second frame": (lambda c: frame(c) + frame(b""), "something follows the bundle"),
    "garbage after it": (lambda c: frame(c) + b"\0", "something follows the bundle"),
    "much garbage after it": (lambda c: frame(c) + bytes(5000), "something follows the bundle"),
    "a skippable frame": (lambda c: b"\x50\x2a\x4d\x18" + struct.pack("<I", 4) + b"note" + frame(c), "skippable"),
    "truncated": (lambda c: frame(c)[:-1], "truncated"),
    "half": (lambda c: frame(c)[: len(frame(c)) // 2], "truncated"),
    "only a header": (lambda c: frame(c)[:12], "truncated"),
    "only the magic number": (lambda c: frame(c)[:4], "truncated"),
    "a changed checksum": (
        lambda c: frame(c, write_checksum=True)[:-1] + bytes([frame(c, write_checksum=True)[-1] ^ 1]),
        "damaged",
    ),
    "a dictionary": (
        lambda c: frame(c, dict_data=zstandard.ZstdCompressionDict(c[:5000] * 3, zstandard.DICT_TYPE_RAWCONTENT)),
        "damaged|changed",
    ),
    "not a bundle": (lambda c: frame(b"hello"), "not a readable ONNX model"),
    "nothing": (lambda c: frame(b""), "not a readable ONNX model"),
    "packed twice": (lambda c: frame(frame(c)), "not a readable ONNX model"),
    "a changed bundle": (
        lambda c: frame(c.replace(b'"target_sensitivity":0.95', b'"target_sensitivity":0.99')),
        "content hash mismatch",
    ),
}


class TestRefused:
    @pytest.mark.parametrize("fault", FAULTS)
    def test_with_the_file_the_reason_and_a_next_step(self, plain, tmp_path, fault):
        make, words = FAULTS[fault]
        path = tmp_path / "bad.onnx.zst"
        path.write_bytes(make(plain))
        with pytest.raises(BundleError, match=words) as found:
            Bundle(path)
        assert str(path) in found.value.message
        assert found.value.hint

    def test_a_named_dictionary(self, plain, tmp_path):
        samples = [bytes(np.random.default_rng(i).integers(0, 4, 400, dtype=np.uint8)) for i in range(200)]
        trained = zstandard.train_dictionary(2000, samples)
        (tmp_path / "x.onnx.zst").write_bytes(frame(plain, dict_data=trained))
        with pytest.raises(BundleError, match="with a dictionary"):
            Bundle(tmp_path / "x.onnx.zst")

    def test_every_flipped_byte(self, packed_path, tmp_path):
        content = packed_path.read_bytes()
        for place in np.linspace(0, len(content) - 1, 25).astype(int):
            changed = bytearray(content)
            changed[place] ^= 1
            (tmp_path / "changed.onnx.zst").write_bytes(changed)
            with pytest.raises(BundleError):
                Bundle(tmp_path / "changed.onnx.zst")

    @pytest.mark.parametrize("end", [1, 3, 5, 8, 11, 17, 100, 1000])
    def test_truncated_anywhere(self, packed_path, tmp_path, end):
        (tmp_path / "cut.onnx.zst").write_bytes(packed_path.read_bytes()[:end])
        with pytest.raises(BundleError):
            Bundle(tmp_path / "cut.onnx.zst")


def bomb(blocks, stated):
    """A frame of blocks of 128 KiB that are one repeated byte each: four bytes a block."""
    block = (128 * 1024 << 3 | 1 << 1).to_bytes(3, "little") + b"\0"
    last = (128 * 1024 << 3 | 1 << 1 | 1).to_bytes(3, "little") + b"\0"
    # A window of 8 MiB, the content's size in eight bytes, no checksum.
    return b"\x28\xb5\x2f\xfd" + bytes([0b11 << 6, 13 << 3]) + struct.pack("<Q", stated) + block * (blocks - 1) + last


class TestBombs:
    def test_one_that_states_its_size_is_not_unpacked(self, monkeypatch):
        monkeypatch.setattr(packed, "_one_frame", lambda *_: pytest.fail("it was unpacked"))
        with pytest.raises(BundleError, match=r"would unpack to 10,000,000,000 bytes; the limit is 536,870,912"):
            unpacked(bomb(80_000, 10_000_000_000), "bomb.onnx.zst")

    def test_one_that_lies_is_stopped(self):
        with pytest.raises(BundleError, match=r"bomb.onnx.zst: (unpacks to more than|damaged)"):
            unpacked(bomb(10_000, 1_000_000), "bomb.onnx.zst")

    def test_a_true_one_of_the_same_build_opens(self):
        assert unpacked(bomb(10, 10 * 128 * 1024), "x") == bytes(10 * 128 * 1024)

    @pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the peak of memory from /proc")
    def test_a_lie_takes_no_memory(self, tmp_path):
        (tmp_path / "bomb").write_bytes(bomb(20_000, packed.MAX_UNPACKED))  # 2.6 GB, stated as the limit
        (tmp_path / "lie").write_bytes(bomb(20_000, 1_000_000))
        program = (
            "import sys; from lentigo.errors import BundleError; from lentigo.runtime.packed import unpacked\n"
            "def peak(): return int([l for l in open('/proc/self/status') if l.startswith('VmHWM')][0].split()[1])\n"
            "before = peak()\n"
            "try: unpacked(open(sys.argv[1], 'rb').read(), 'x'); print('opened')\n"
            "except BundleError: print(peak() - before)"
        )
        grown = subprocess.run(
            [sys.executable, "-c", program, tmp_path / "lie"],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ,
        )
        assert int(grown.stdout) < 100_000  # kilobytes

    def test_too_large_to_pack(self, monkeypatch):
        monkeypatch.setattr(packed, "MAX_UNPACKED", 10)
        with pytest.raises(BundleError, match="too large to pack"):
            pack(bytes(11))
