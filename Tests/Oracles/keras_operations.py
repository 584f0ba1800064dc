#!/usr/bin/env python3
"""Single operations in Keras: output and every gradient, on small random input.

Run:   python keras_operations.py ../NetworkTests/Fixtures      (writes operations.safetensors)
Needs: as keras_networks.py

A case's tensors, in the layouts of keras_storage.py: <case>/x, kernel, bias (gamma, beta), y = the output, dy = the upstream
gradient, and dx, dkernel, dbias (dgamma, dbeta) = the gradients of Σ dy·y. No activation follows. Max-pool's input has no ties.
Metadata: `cases` (comma-separated), and for each case <case>.kind (convolution, transposed, max_pool, nearest, batch_norm)
and <case>.stride.
"""
import sys

from keras_storage import activation, keras, np, parameter, save, tf

L = keras.layers


def cases():
    """Name, kind, stride, layer, input [N, H, W, C]."""
    def conv(k, stride, filters):
        return "convolution", stride, L.Conv2D(filters, k, strides=stride, padding="same")

    def transposed(k, filters):
        return "transposed", 2, L.Conv2DTranspose(filters, k, strides=2, padding="same")

    return [
        ("conv3x3", *conv(3, 1, 4), (2, 5, 7, 3)),
        ("conv3x3_one_channel", *conv(3, 1, 5), (2, 6, 4, 1)),
        ("conv3x3_wide", *conv(3, 1, 18), (1, 9, 10, 17)),
        ("conv3x3_stride2_even", *conv(3, 2, 4), (2, 6, 8, 3)),
        ("conv3x3_stride2_odd", *conv(3, 2, 4), (2, 5, 7, 3)),
        ("conv2x2", *conv(2, 1, 4), (2, 6, 5, 3)),
        ("conv1x1", *conv(1, 1, 2), (2, 4, 5, 3)),
        ("transposed2x2", *transposed(2, 3), (2, 3, 5, 4)),
        ("transposed3x3", *transposed(3, 3), (2, 3, 5, 4)),
        ("max_pool", "max_pool", 2, L.MaxPooling2D(2), (2, 6, 10, 3)),
        ("nearest", "nearest", 1, L.UpSampling2D(2, interpolation="nearest"), (2, 3, 5, 3)),
        ("batch_norm", "batch_norm", 1, L.BatchNormalization(momentum=0.99, epsilon=1e-3), (3, 4, 5, 3)),
    ]


def main(folder):
    rng = np.random.default_rng(1)

    def draw(shape, mean=0.0, spread=1.0):
        return tf.constant(rng.normal(mean, spread, shape).astype(np.float32).astype(np.float64))

    tensors, facts, names = {}, {}, []
    for name, kind, stride, layer, shape in cases():
        x = draw(shape, mean=0.5)
        layer.build(shape)
        trainable = {v.name: v for v in layer.weights if v.trainable}
        for kind_of_weight, v in trainable.items():
            v.assign(draw(v.shape, mean=1.0 if kind_of_weight == "gamma" else 0.1, spread=0.5))
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True) if kind == "batch_norm" else layer(x)
            dy = draw(y.shape)
            objective = tf.reduce_sum(dy * y)
        dx, *dw = tape.gradient(objective, [x] + [v.value for v in trainable.values()])
        case = {"x": activation(x), "y": activation(y), "dy": activation(dy), "dx": activation(dx)}
        case |= {w: parameter(v) for w, v in trainable.items()}
        case |= {f"d{w}": parameter(g) for w, g in zip(trainable, dw)}
        tensors |= {f"{name}/{part}": t for part, t in case.items()}
        names.append(name)
        facts |= {f"{name}.kind": kind, f"{name}.stride": stride}
    save(f"{folder}/operations.safetensors", tensors, __file__, cases=",".join(names), **facts)


if __name__ == "__main__":
    main(sys.argv[1])
