"""The Keras side of `melanoma_cnn.py`, in an environment of its own (requirements.txt); it knows nothing of lentigo."""

import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import tensorflow as tf
from keras import layers


def melanoma_cnn() -> keras.Model:
    """Table 1 of the paper: 224x224 pixels, 22,246,082 parameters."""
    parts: list = [keras.Input((224, 224, 3))]
    for width, dropout in ((32, 0), (64, 0.3), (128, 0.4)):
        parts += [layers.Conv2D(width, 3, activation="relu"), layers.BatchNormalization(), layers.MaxPooling2D(2)]
        parts += [layers.Dropout(dropout)] if dropout else []
    parts += [layers.Flatten(), layers.Dense(256, activation="relu"), layers.Dropout(0.5)]
    return keras.Sequential([*parts, layers.Dense(2, activation="softmax")])


def main() -> None:
    folder, seed = Path(sys.argv[1]), int(sys.argv[2])
    keras.utils.set_random_seed(seed)
    parts = {
        part: (np.load(folder / f"{part}_images.npy").astype(np.float32) / 255, np.load(folder / f"{part}_labels.npy"))
        for part in ("train", "validation", "test")
    }
    network = melanoma_cnn()
    assert network.count_params() == 22_246_082
    network.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    rows = network.fit(
        *parts["train"],
        batch_size=32,
        epochs=20,
        validation_data=parts["validation"],
        callbacks=[keras.callbacks.EarlyStopping("val_loss", patience=3, restore_best_weights=True)],
        verbose=2,
    ).history
    lines = ["epoch,train_accuracy,train_loss,val_accuracy,val_loss"]
    columns = ("accuracy", "loss", "val_accuracy", "val_loss")
    lines += [f"{n},{','.join(map(str, row))}" for n, row in enumerate(zip(*(rows[c] for c in columns), strict=True))]
    (folder / "epochs.csv").write_text("\n".join(lines) + "\n")
    _, accuracy = network.evaluate(*parts["test"], verbose=0)
    (folder / "test.txt").write_text(f"{accuracy}\nkeras {keras.__version__}, tensorflow {tf.__version__}, float32\n")


if __name__ == "__main__":
    main()
