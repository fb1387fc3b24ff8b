"""Runs Keras models and SavedModels with TensorFlow: on CUDA if available, else on the CPU."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

# Read when TensorFlow is imported, below: errors alone are logged, and Keras runs on TensorFlow.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["KERAS_BACKEND"] = "tensorflow"

import tensorflow as tf

from menagerie_inference.backends.agreement import check_input, check_outputs, choose_outputs
from menagerie_inference.backends.tensorflow_networks import Network, open_network
from menagerie_inference.errors import ManifestError, ModelUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from menagerie_inference.batching import Outputs
    from menagerie_inference.manifest import Manifest

    Function = Callable[[tf.Tensor], Mapping[str, tf.Tensor]]


class TensorflowBackend:
    """A Keras model or a SavedModel of one input, images of floats or of uint8, and the manifest's outputs.

    `threads` share the work of an operation. TensorFlow has one thread pool for the whole process: the first
    model that is loaded sets its size for all.

    Raises:
        ManifestError: the model does not load, or is not what its manifest says.
    """

    def __init__(self, manifest: Manifest, *, threads: int) -> None:
        _configure(threads)
        self.device = "cuda" if tf.config.list_physical_devices("GPU") else "cpu"
        path = manifest.files[0].path
        try:
            self._network: Network | None = open_network(manifest)
            self._function: Function | None = _compile(self._network, manifest)
            check_outputs(manifest, self.run)
        except ManifestError:
            raise
        except Exception as error:  # what Keras raises of a broken file has no common base
            text = " ".join(str(error).split())
            raise ManifestError(f"{path}: {text}") from error

    def run(self, images: NDArray[np.uint8]) -> Outputs:
        """Run the model, as `Backend.run()`.

        Raises:
            ModelUnavailable: the model is closed.
        """
        function, network = self._function, self._network
        if function is None or network is None:
            raise ModelUnavailable("the model is closed")
        return {name: output.numpy() for name, output in function(tf.constant(images)).items()}

    def close(self) -> None:
        """Free the model, once the runs in progress are done."""
        self._function = self._network = None


def _configure(threads: int) -> None:
    # TensorFlow refuses changes once a model is loaded, and keeps what that one asked for.
    with suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        for gpu in tf.config.list_physical_devices("GPU"):
            # It would take all of a GPU's memory, of which other models need some.
            tf.config.experimental.set_memory_growth(gpu, enable=True)


def _compile(network: Network, manifest: Manifest) -> Function:
    """Trace the function once, for batches of every size."""
    return serving_function(network, manifest).get_concrete_function()  # type: ignore[no-any-return]


def serving_function(network: Network, manifest: Manifest) -> tf.types.experimental.PolymorphicFunction:
    """Join scaling and network to one function from uint8 images to the manifest's outputs, by name.

    Raises:
        ManifestError: the network does not take the manifest's images.
    """
    shape = network.input.shape
    check_input(manifest, shape.as_list() if shape.rank else (), network.input.dtype.name)
    scaling = manifest.input.scaling

    def run(images: tf.Tensor) -> Mapping[str, tf.Tensor]:
        values = images
        if scaling is not None:
            values = (tf.cast(images, tf.float32) - tf.constant(scaling.mean)) / tf.constant(scaling.divisor)
        return choose_outputs(manifest, network.call(tf.cast(values, network.input.dtype)))

    images = tf.TensorSpec((None, manifest.input.height, manifest.input.width, 3), tf.uint8)
    return tf.function(run, input_signature=(images,), autograph=False)
