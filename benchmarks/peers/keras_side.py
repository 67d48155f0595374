"""The two published networks written in Keras, as its users would, timed on request: `speed.py` starts this.

Reads a line 'NETWORK train|infer' from standard input, does that once over all images, and answers with the seconds by
the wall and by the processor. It runs in an environment of its own (requirements.txt); it knows nothing of lentigo.
"""

import os
import sys
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import tensorflow as tf
from keras import layers


def compressed_cnn() -> keras.Model:
    """28x28 pixels, 1,275,079 parameters."""
    parts: list = [keras.Input((28, 28, 3))]
    for group in ((32,), (64, 64), (128, 128), (256, 256)):
        parts += [layers.Conv2D(width, 3, padding="same", activation="relu") for width in group]
        parts += [layers.MaxPooling2D(2)] + ([layers.BatchNormalization()] if group[0] < 256 else [])
    parts += [layers.Flatten(), layers.Dropout(0.2)]
    for width in (256, 128, 64, 32):
        parts += [layers.Dense(width, activation="relu"), layers.BatchNormalization()]
        parts += [layers.Dropout(0.2)] if width == 256 else []
    return keras.Sequential([*parts, layers.Dense(7)])


def efficient_cnn_reconstructed() -> keras.Model:
    """64x64 pixels, 692,807 parameters."""
    parts: list = [keras.Input((64, 64, 3))]
    for width in (32, 64, 128):
        parts += [layers.Conv2D(width, 3, activation="relu"), layers.BatchNormalization(), layers.MaxPooling2D(2)]
    parts += [layers.Flatten(), layers.Dense(128, activation="relu"), layers.Dense(64, activation="relu")]
    return keras.Sequential([*parts, layers.Dense(7)])


NETWORKS = {"compressed_cnn": (compressed_cnn, 28), "efficient_cnn_reconstructed": (efficient_cnn_reconstructed, 64)}


def main() -> None:
    threads, images, batch = map(int, sys.argv[1:])
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    labels = random.integers(0, 7, images)
    made = {}
    for name, (build, size) in NETWORKS.items():
        network = build()
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        network.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"])
        made[name] = network, random.random((images, size, size, 3), dtype=np.float32)
    counts = " ".join(f"{name}={network.count_params()}" for name, (network, _) in made.items())
    print(f"ready keras {keras.__version__}, tensorflow {tf.__version__}; {counts}", flush=True)
    for line in sys.stdin:
        name, work = line.split()
        network, pixels = made[name]
        wall, processor = time.perf_counter(), time.process_time()
        if work == "train":
            validation = pixels[:batch], labels[:batch]
            network.fit(pixels, labels, batch_size=batch, epochs=1, validation_data=validation, verbose=0)
        else:
            network.predict(pixels, batch_size=batch, verbose=0)
        print(time.perf_counter() - wall, time.process_time() - processor, flush=True)


if __name__ == "__main__":
    main()
