"""The classifier: any kind of input, one or many, in other processes too, and by its own classes."""

import copy
import io
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import lentigo
from lentigo import Classifier, taxonomy
from lentigo.errors import BundleError, DataError, ImageError
from lentigo.runtime import Failure, Verdict


class TestInputs:
    def test_every_kind_gives_the_same(self, classifier, photo):
        content = Path(photo).read_bytes()
        array = np.asarray(Image.open(photo))
        with Path(photo).open("rb") as file:
            sources = (
                photo,
                Path(photo),
                content,
                Image.open(photo),
                array,
                file,
                io.BytesIO(content),
                bytearray(content),
            )
            verdicts = [classifier.classify(s) for s in sources]
        assert all(v.probabilities == verdicts[0].probabilities for v in verdicts)
        assert [v.source for v in verdicts] == [photo, photo, "bytes", photo, "array", photo, "BytesIO", "bytes"]
        assert all(v.overlay().size == verdicts[0].overlay().size for v in verdicts)

    def test_a_pipe_is_read_once(self, classifier, photo, tmp_path):
        import os
        import threading

        os.mkfifo(tmp_path / "pipe")
        writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(Path(photo).read_bytes()))
        writer.start()
        verdict = classifier.classify(tmp_path / "pipe")
        writer.join()
        assert verdict.raw == classifier.classify(photo).raw
        verdict.overlay()

    @pytest.mark.parametrize("source", [None, 3, object(), [1, 2], {"a": 1}, io.StringIO("text"), b"", io.BytesIO()])
    def test_what_is_no_image_is_an_image_error(self, classifier, source):
        with pytest.raises(ImageError):
            classifier.classify(source)

    def test_a_stated_prevalence_is_checked(self, classifier, photo):
        for call in (classifier.classify, lambda p, **k: classifier.classify_many([p], **k)):
            with pytest.raises(DataError, match="lacks"):
                call(photo, prevalence={"mel": 0.1})
        with pytest.raises(DataError, match="mapping"):
            classifier.classify_batch([photo], prevalence=0.1)


class TestMany:
    def test_an_unreadable_one_is_a_failure_in_its_place(self, classifier, photo, tmp_path):
        bad = tmp_path / "bad.jpg"
        bad.write_bytes(b"no")
        for call in (classifier.classify_many, classifier.classify_batch):
            kinds = [type(r) for r in call([photo, bad, None, photo])]
            assert kinds == [Verdict, Failure, Failure, Verdict]

    def test_a_batch_is_the_same_in_one_call_for_each_size(self, classifier, synthetic_records, monkeypatch):
        arrays = [np.asarray(Image.open(p)) for p in synthetic_records.table["path"][:4]]
        arrays.insert(2, np.asarray(Image.fromarray(arrays[0]).resize((90, 80))))
        alone = [classifier.classify(a) for a in arrays]
        calls = []
        run = classifier.bundle.predict
        monkeypatch.setattr(classifier.bundle, "predict", lambda x: calls.append(x.shape) or run(x))
        together = classifier.classify_batch(arrays)
        assert sorted(calls) == [(1, 80, 90, 3), (4, 150, 200, 3)]
        for one, other in zip(alone, together, strict=True):
            assert one.raw["probabilities"] == pytest.approx(other.raw["probabilities"], abs=2e-6)
            assert one._cam == pytest.approx(other._cam, abs=1e-3)
            assert one.decision == other.decision

    def test_neighbours_change_nothing(self, classifier, synthetic_records, tmp_path):
        """Batches are an arrangement: every image gets what it gets alone, in its place, whatever stands beside it."""
        bad = tmp_path / "bad.jpg"
        bad.write_bytes(b"no")
        paths = [*synthetic_records.table["path"][:9], bad, *synthetic_records.table["path"][9:12]]
        small = Image.open(paths[0]).resize((90, 80))
        sources = [*paths[:3], small, *paths[3:]]
        for call in (classifier.classify_many, classifier.classify_batch, lambda s: classifier.classify_many(iter(s))):
            results = list(call(sources))
            assert [type(r) for r in results] == [Failure if s is bad else Verdict for s in sources]
            for source, found in zip(sources, results, strict=True):
                if source is not bad:
                    alone = classifier.classify(source)
                    assert (found.source, found.decision, found.top) == (alone.source, alone.decision, alone.top)
                    assert found.raw["probabilities"] == pytest.approx(alone.raw["probabilities"], abs=2e-6)
                    assert found.ood_score == pytest.approx(alone.ood_score, rel=1e-5)

    def test_what_a_batch_fails_on_costs_only_itself(self, altered, synthetic_records, monkeypatch):
        classifier = altered()
        arrays = [np.asarray(Image.open(p)) for p in synthetic_records.table["path"][:4]]
        run = classifier.bundle.predict

        def fails_on_the_third(images):
            if any(np.array_equal(image, arrays[2]) for image in images):
                raise RuntimeError("bad allocation")
            return run(images)

        monkeypatch.setattr(classifier.bundle, "predict", fails_on_the_third)
        results = classifier.classify_batch(arrays)
        assert [type(r) for r in results] == [Verdict, Verdict, Failure, Verdict]

    def test_large_images_are_not_read_together(self, classifier, photo, monkeypatch):
        """Memory is bounded by pixels, not by the number of images."""
        monkeypatch.setattr("lentigo.runtime.classifier._BATCH_PIXELS", 150 * 200)
        calls = []
        run = classifier.bundle.predict
        monkeypatch.setattr(classifier.bundle, "predict", lambda x: calls.append(len(x)) or run(x))
        assert len(classifier.classify_batch([photo] * 5)) == 5
        assert calls == [1] * 5

    def test_an_array_of_images(self, classifier, photo):
        images = np.stack([np.asarray(Image.open(photo))] * 3)
        assert len(classifier.classify_batch(images)) == len(list(classifier.classify_many(images))) == 3
        assert classifier.classify_batch([]) == list(classifier.classify_many([])) == []

    @pytest.mark.parametrize("one", ["a.jpg", Path("a.jpg"), b"x", np.zeros((9, 9, 3), np.uint8), io.BytesIO()])
    def test_one_image_is_not_taken_apart(self, classifier, one):
        for call in (classifier.classify_many, classifier.classify_batch):
            with pytest.raises(ImageError, match="single image instead of several"):
                call(one)

    def test_a_file_object_that_cannot_be_read_costs_only_itself(self, classifier, photo):
        with Path(photo).open("rb") as closed:
            pass
        with Path(photo).open(encoding="utf-8") as text:
            results = list(classifier.classify_many([photo, closed, text]))
        assert [isinstance(r, Failure) for r in results] == [False, True, True]
        assert "closed file" in results[1].error and "open(path, 'rb')" in results[2].error

    def test_what_is_not_several_images_is_refused(self, classifier):
        for call in (classifier.classify_many, classifier.classify_batch):
            with pytest.raises(ImageError, match="NoneType is not several images"):
                call(None)

    def test_what_the_model_fails_on_is_a_failure(self, altered, photo, monkeypatch):
        broken = altered()

        def fails(images):
            raise RuntimeError("bad allocation")

        monkeypatch.setattr(broken.bundle, "predict", fails)
        (result,) = broken.classify_many([photo])
        assert "bad allocation" in result.error


class TestClasses:
    def test_outputs_are_read_by_the_bundles_own_order(self, classifier, altered, photo, monkeypatch):
        order = [6, 2, 4, 0, 5, 1, 3]
        metadata = classifier.bundle.metadata
        other = altered(
            classes=tuple(metadata.labels.classes[k] for k in order),
            training_prevalence=tuple(metadata.training_prevalence[k] for k in order),
        )
        run = other.bundle.predict

        def permuted(images):
            outputs = run(images)
            return outputs._replace(probabilities=outputs.probabilities[:, order], cam=outputs.cam[:, order])

        monkeypatch.setattr(other.bundle, "predict", permuted)
        plain, verdict = classifier.classify(photo), other.classify(photo)
        assert verdict.probabilities == plain.probabilities
        assert (verdict.top, verdict.decision) == (plain.top, plain.decision)
        assert (verdict.melanoma, verdict.malignancy) == (plain.melanoma, pytest.approx(plain.malignancy))
        assert (verdict.heatmap("mel") == plain.heatmap("mel")).all()
        for target, risk in verdict.risks.items():
            assert risk.at_balanced_prior == pytest.approx(plain.risks[target].at_balanced_prior)

    def test_reversed_classes_reverse_the_verdict(self, altered, classifier, photo):
        reverse = altered(classes=taxonomy.CLASSES[::-1])
        there, here = (list(c.classify(photo).raw["probabilities"].items()) for c in (reverse, classifier))
        assert [p for _, p in there] == [p for _, p in here]
        assert [c for c, _ in there] == [c for c, _ in here][::-1]


class TestTravelling:
    def test_copies_and_pickles_say_the_same(self, classifier, photo):
        wanted = classifier.classify(photo)
        for other in (copy.copy(classifier), copy.deepcopy(classifier), pickle.loads(pickle.dumps(classifier))):
            assert other.sha256 == classifier.sha256
            assert other.classify(photo) == wanted

    def test_process_pools(self, classifier, photo, monkeypatch, bundle_path):
        monkeypatch.chdir(bundle_path.parent)
        relative = Classifier.load(bundle_path.name, threads=1)
        monkeypatch.chdir("/")
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            assert pool.submit(relative.classify, photo).result().top == classifier.classify(photo).top

    def test_another_model_at_its_path_is_noticed(self, bundle_path, tmp_path):
        import onnx

        path = tmp_path / "m.onnx"
        path.write_bytes(bundle_path.read_bytes())
        pickled = pickle.dumps(Classifier.load(path))
        model = onnx.load(path)
        model.doc_string = "changed"
        onnx.save(model, path)
        with pytest.raises(BundleError):
            pickle.loads(pickled)

    def test_the_hash_is_computed_once(self, classifier, photo, monkeypatch):
        monkeypatch.setattr("lentigo.runtime.bundle.hashlib", None)
        assert len(classifier.classify(photo).model_sha256) == 64


def test_it_describes_itself(classifier):
    assert repr(classifier).startswith("Classifier('tiny': compact, 7 diagnoses, 32x32 pixels")
    for part in ("tiny", "compact", "parameters", "trained on", "Apache-2.0", "not a medical device"):
        assert part in classifier.card


def test_the_package_shows_what_there_is():
    shown = dir(lentigo)
    for name in ("Classifier", "Verdict", "data", "evaluation", "export", "training", "models", "runtime", "taxonomy"):
        assert name in shown
        assert getattr(lentigo, name)
    with pytest.raises(AttributeError, match="no attribute 'Clasifier'"):
        lentigo.Clasifier  # noqa: B018


def test_torch_is_never_imported(bundle_path, photo):
    code = (
        "import sys, lentigo\n"
        "assert not {'torch', 'pandas', 'onnxruntime', 'numpy'} & set(sys.modules)\n"
        f"lentigo.Classifier.load({str(bundle_path)!r}).classify({photo!r}).overlay()\n"
        "assert not {'torch', 'pandas', 'sklearn', 'matplotlib', 'onnx'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_one_image_needs_no_progress_bar(bundle_path, photo):
    code = (
        "import sys, lentigo.runtime\n"
        f"list(lentigo.runtime.classify_files([{photo!r}], model={str(bundle_path)!r}))\n"
        "assert 'rich' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
