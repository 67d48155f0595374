"""compressed_cnn in Keras, from decoded images to probabilities, timed on request: `compression_speed.py` starts this.

Reads a number of images from standard input, predicts that many once, and answers with the seconds by the wall and by
the processor. It runs in an environment of its own (requirements.txt); it knows nothing of lentigo.
"""

import os
import sys
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from keras_side import compressed_cnn


def main() -> None:
    threads, height, width = map(int, sys.argv[1:])
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    keras.utils.set_random_seed(0)
    whole = keras.Sequential(
        [
            keras.Input((height, width, 3), dtype="uint8"),
            layers.Resizing(28, 28, crop_to_aspect_ratio=True, antialias=True),
            layers.Rescaling(1 / 255),
            compressed_cnn(),
            layers.Softmax(),
        ]
    )
    random = np.random.default_rng(0)
    print(f"ready keras {keras.__version__}, tensorflow {tf.__version__}", flush=True)
    for line in sys.stdin:
        images = random.integers(0, 256, (int(line), height, width, 3), dtype=np.uint8)
        wall, processor = time.perf_counter(), time.process_time()
        whole.predict_on_batch(images)
        print(time.perf_counter() - wall, time.process_time() - processor, flush=True)


if __name__ == "__main__":
    main()
