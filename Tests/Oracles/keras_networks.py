#!/usr/bin/env python3
"""The four networks of Long 2020 in Keras: weight counts, outputs, losses, every gradient, Adam steps.

Run:   python keras_networks.py ../NetworkTests/Fixtures
Needs: pip install tensorflow-cpu==2.21.0 keras==3.15.1 numpy==2.4.6

A case holds, in the layouts of keras_storage.py:

    x, y                   input [N, 1, H, W] and mask (0 or 1) of the same shape
    weight/<name>          all weights, moving statistics included, drawn so that none is trivially 0 or 1
    output.train           probabilities with the batch's own statistics, drop-out off
    output.infer           probabilities with the stored moving statistics
    loss                   [1]; BCE − mean over samples of log Dice, of output.train
    gradient/<name>        of `loss`, for every trainable weight
    moving_after/<name>    moving mean and variance after that one training step (momentum 0.99, ε 1e-3)
    adam{1,2,3}/<name>     (the Adam case only) weights after each of three steps on x, y with the L2 penalty
    loss.adam, penalty.adam   [3]; loss without the penalty, and the penalty, before each step

Metadata: architecture, upsampling (U-Net+), B, N, `order` (the weights' names, comma-separated, in the order in which the
layers are created), `kink_distance` (see below).

Loss: BCE is the mean over all pixels and samples, from logits, without clipping. Dice of a sample is
(2 Σ p·y + 1) / (Σ p + Σ y + 1).

The moving variance takes the batch's biased variance, as Keras 3 does. Keras 2.2.4 multiplies it by n / (n − 1) first,
n = N·H·W: 1e-6 of the value at the paper's sizes, and without effect on training. Keras's Adam rounds β to float32
before its bias correction, which moves the third loss by 3e-7 of itself.

ReLU and max-pool have kinks, beside which a float32 run may rightly take the other side. Seeds are tried in turn until
every input of a ReLU lies further than `KINK` from 0, every maximum further than that from its runner-up, and no channel
is dead (it passes its ReLU at more than `ALIVE` of its pixels), so that every weight has a gradient to compare.
"""
import itertools
import sys

from keras_storage import activation, keras, np, parameter, save, tf

L = keras.layers
KINK = 1e-5
ALIVE = 0.05
PUBLISHED = {
    ("unet", None): {16: 1_941_093, 8: 485_813},
    ("unet++", None): {16: 2_261_601, 8: 566_001},
    ("unet+", "transposed"): {16: 1_926_065, 8: 483_801},
    ("unet+", "nearest"): {16: 1_729_985, 8: 434_721},
}


class Builder:
    """Keras layers by role; keeps the weighted ones, and the tensors at which the network has kinks.

    `dropout` is the rate wherever the public networks drop out; the stored cases leave it at 0, without such layers."""

    def __init__(self, dropout=0.0):
        self.dropout = dropout
        self.weighted = []      # (role, layer), in order of creation
        self.relu_inputs = []
        self.pool_inputs = []

    def layer(self, role, layer, x):
        self.weighted.append((role, layer))
        return layer(x)

    def relu(self, x):
        self.relu_inputs.append(x)
        return L.ReLU()(x)

    def conv(self, role, x, filters, side=3, relu=True):
        x = self.layer(role, L.Conv2D(filters, side, padding="same"), x)
        return self.relu(x) if relu else x

    def conv_block(self, role, x, filters, stride=1):
        """Convolution + bias → batch norm → ReLU."""
        x = self.layer(role, L.Conv2D(filters, 3, strides=stride, padding="same"), x)
        return self.relu(self.layer(role, L.BatchNormalization(momentum=0.99, epsilon=1e-3), x))

    def transposed(self, role, x, filters, side):
        return self.layer(role, L.Conv2DTranspose(filters, side, strides=2, padding="same"), x)

    def drop(self, x):
        return L.Dropout(self.dropout)(x) if self.dropout > 0 else x

    def pool(self, x):
        self.pool_inputs.append(x)
        return L.MaxPooling2D(2)(x)

    def upsample(self, x):
        return L.UpSampling2D(2, interpolation="nearest")(x)

    def concat(self, *xs):
        return L.Concatenate()(list(xs))


def unet(net, x, B, N):
    """github.com/zhixuhao/unet at width B; drops out after levels N − 1 and N; concatenate([skip, up])."""
    f = [B << n for n in range(N)]
    skips = []
    for n in range(N):
        if n > 0:
            x = net.pool(x)
        x = net.conv(f"down{n + 1}.conv1", x, f[n])
        x = net.conv(f"down{n + 1}.conv2", x, f[n])
        x = net.drop(x) if n >= N - 2 else x
        skips.append(x)
    for n in reversed(range(N - 1)):
        x = net.conv(f"up{n + 1}.conv0", net.upsample(x), f[n], side=2)
        x = net.conv(f"up{n + 1}.conv1", net.concat(skips[n], x), f[n])
        x = net.conv(f"up{n + 1}.conv2", x, f[n])
    return net.conv("head.out", net.conv("head.conv", x, 2), 1, side=1, relu=False)


def unet_plus_plus(net, x, B, N):
    """github.com/MrGiovanni/UNetPlusPlus, deepest head only; drops out after each convolution of a unit;
    concatenate([up, X[i,0], …, X[i,j−1]])."""
    f = [B << i for i in range(N)]
    X = {}

    def unit(i, j, x):
        x = net.drop(net.conv(f"X{i}{j}.conv1", x, f[i]))
        X[i, j] = net.drop(net.conv(f"X{i}{j}.conv2", x, f[i]))

    for level in range(N):
        unit(level, 0, x if level == 0 else net.pool(X[level - 1, 0]))
        for j in range(1, level + 1):
            i = level - j
            up = net.transposed(f"X{i}{j}.up", X[i + 1, j - 1], f[i], side=2)
            unit(i, j, net.concat(up, *(X[i, k] for k in range(j))))
    return net.conv("head", X[0, N - 1], 1, side=1, relu=False)


def unet_plus(net, x, B, N, upsampling):
    """Long 2020, Fig. 5a: every level goes on convolving, and each of its columns is sent down."""
    f = {n: B << (n - 1) for n in range(1, N + 1)}
    C, D = {}, {}

    def up(n, x):
        x = net.transposed(f"U{n}.up", x, f[n], side=3) if upsampling == "transposed" else net.upsample(x)
        return net.conv_block(f"U{n}.conv2", net.conv_block(f"U{n}.conv1", x, f[n]), f[n])

    C[1, 0] = net.conv_block("C10", x, f[1])
    for k in range(1, N):
        C[1, k] = net.conv_block(f"C1{k}", C[1, k - 1], f[1])
        D[1, k] = net.conv_block(f"D1{k}", C[1, k - 1], f[2], stride=2)
    for n in range(2, N):
        for k in range(1, N - n + 1):
            x = D[n - 1, 1] if k == 1 else net.concat(C[n, k - 1], D[n - 1, k])
            C[n, k] = net.conv_block(f"C{n}{k}", x, f[n])
            D[n, k] = net.conv_block(f"D{n}{k}", x, f[n + 1], stride=2)
    x = up(N - 1, D[N - 1, 1])
    for n in reversed(range(1, N - 1)):
        x = up(n, net.concat(x, C[n + 1, N - n - 1], D[n, N - n]))
    return net.conv("head", net.concat(x, C[1, N - 1]), 1, side=1, relu=False)


class Network:
    """A Keras model from image to logits, with its weights by name."""

    def __init__(self, architecture, upsampling, B, N, height, width, dropout=0.0):
        keras.utils.clear_session()
        net, image = Builder(dropout), L.Input((height, width, 1))
        if architecture == "unet":
            logits = unet(net, image, B, N)
        elif architecture == "unet++":
            logits = unet_plus_plus(net, image, B, N)
        else:
            logits = unet_plus(net, image, B, N, upsampling)
        self.model = keras.Model(image, logits)
        self.probes = keras.Model(image, net.relu_inputs + net.pool_inputs)
        self.relus = len(net.relu_inputs)
        self.weights = {f"{role}.{v.name}": v for role, layer in net.weighted for v in layer.weights}
        self.trainable = {name: v for name, v in self.weights.items() if v.trainable}
        self.moving = {name: v for name, v in self.weights.items() if not v.trainable}
        assert len(self.weights) == len(self.model.weights)

    def randomise(self, rng):
        """He-normal kernels; biases and statistics spread around their usual starting points."""
        for name, v in self.weights.items():
            kind, shape = name.rsplit(".", 1)[1], v.shape
            if kind == "kernel":
                layer_is_transposed = name.endswith(".up.kernel")
                fan_in = shape[0] * shape[1] * shape[3 if layer_is_transposed else 2]
                v.assign(rng.normal(0, np.sqrt(2 / fan_in), shape))
            elif kind in ("gamma", "moving_variance"):
                v.assign(rng.uniform(0.5, 1.5, shape))
            else:
                v.assign(rng.normal(0.2 if kind == "bias" else 0, 0.2, shape))

    def probe(self, x, training):
        """(distance, share): of the nearest ReLU input to 0 and of the nearest positive maximum to its runner-up; the
        smallest share of its pixels at which a channel passes its ReLU."""
        kept = {name: v.numpy() for name, v in self.moving.items()}
        values = [t.numpy() for t in self.probes(x, training=training)]
        for name, v in self.moving.items():  # a forward pass in training mode has moved them
            v.assign(kept[name])
        distances = [np.abs(t).min() for t in values[: self.relus]]
        for t in values[self.relus:]:
            n, h, w, c = t.shape
            windows = t.reshape(n, h // 2, 2, w // 2, 2, c).transpose(0, 1, 3, 5, 2, 4).reshape(-1, 4)
            windows = np.sort(windows[windows.max(axis=1) > 0], axis=1)
            distances.append((windows[:, 3] - windows[:, 2]).min())
        return min(distances), min((t > 0).mean(axis=(0, 1, 2)).min() for t in values[: self.relus])


def loss_of(logits, y, smooth=1.0):
    """BCE − mean over samples of log Dice."""
    bce = keras.losses.BinaryCrossentropy(from_logits=True)(y, logits)
    p = tf.sigmoid(logits)
    over = (1, 2, 3)
    dice = (2 * tf.reduce_sum(p * y, over) + smooth) / (tf.reduce_sum(p, over) + tf.reduce_sum(y, over) + smooth)
    return bce - tf.reduce_mean(tf.math.log(dice))


def draw(architecture, upsampling, B, N, height, width, batch=2):
    """Network, image and mask from the first seed that gives live channels, away from kinks."""
    network = Network(architecture, upsampling, B, N, height, width)
    for seed in itertools.count(1):
        rng = np.random.default_rng(seed)
        network.randomise(rng)
        x = rng.uniform(0, 1, (batch, height, width, 1))
        # Foreground where a smoothed field is high, of another share in each sample, so that a Dice over the whole
        # batch would be told from the mean over samples.
        field = x + np.roll(x, 1, 1) + np.roll(x, 1, 2) + np.roll(x, (1, 1), (1, 2))
        y = (field > np.linspace(1.7, 2.3, batch).reshape(-1, 1, 1, 1)).astype(np.float64)
        # Stored as float32: what Keras computes with must be what a reader of the file computes with.
        x = x.astype(np.float32).astype(np.float64)
        for v in network.weights.values():
            v.assign(v.numpy().astype(np.float32).astype(np.float64))
        probes = [network.probe(x, training) for training in (False, True)]
        distance, share = (min(values) for values in zip(*probes))
        if distance > KINK and share > ALIVE:
            return network, tf.constant(x), tf.constant(y), distance


def case(architecture, upsampling, B, N, height, width):
    network, x, y, distance = draw(architecture, upsampling, B, N, height, width)
    tensors = {"x": activation(x), "y": activation(y)}
    tensors |= {f"weight/{name}": parameter(v) for name, v in network.weights.items()}
    tensors["output.infer"] = activation(tf.sigmoid(network.model(x, training=False)))
    with tf.GradientTape() as tape:
        logits = network.model(x, training=True)
        loss = loss_of(logits, y)
    gradients = tape.gradient(loss, [v.value for v in network.trainable.values()])
    tensors["output.train"] = activation(tf.sigmoid(logits))
    tensors["loss"] = loss.numpy()
    tensors |= {f"gradient/{name}": parameter(g) for name, g in zip(network.trainable, gradients)}
    tensors |= {f"moving_after/{name}": parameter(v) for name, v in network.moving.items()}
    return network, tensors, distance


def adam_case(architecture, B, N, height, width, l2=1e-2, learning_rate=5e-4):
    """Three steps of Keras's Adam (β 0.9 and 0.999, ε 1e-7) on loss + λ Σ‖kernel‖², over the kernels of convolutions and not
    of transposed ones: so does the public U-Net++ code, and so comes its 0.36 at the start (B = 16, λ = 1e-4)."""
    network, x, y, distance = draw(architecture, None, B, N, height, width)
    tensors = {"x": activation(x), "y": activation(y)}
    tensors |= {f"weight/{name}": parameter(v) for name, v in network.weights.items()}
    variables = list(network.trainable.values())
    kernels = [v for name, v in network.trainable.items() if name.endswith(".kernel") and not name.endswith(".up.kernel")]
    optimizer = keras.optimizers.Adam(learning_rate, beta_1=0.9, beta_2=0.999, epsilon=1e-7)
    losses, penalties = [], []
    for step in (1, 2, 3):
        with tf.GradientTape() as tape:
            loss = loss_of(network.model(x, training=True), y)
            penalty = l2 * sum(tf.reduce_sum(tf.square(w.value)) for w in kernels)
            total = loss + penalty
        optimizer.apply(tape.gradient(total, [v.value for v in variables]), variables)
        losses.append(loss.numpy())
        penalties.append(penalty.numpy())
        tensors |= {f"adam{step}/{name}": parameter(v) for name, v in network.trainable.items()}
    tensors |= {"loss.adam": np.array(losses), "penalty.adam": np.array(penalties)}
    return network, tensors, distance


def check_counts():
    """The eight counts of the paper's tables (Keras's total parameters)."""
    for (architecture, upsampling), counts in PUBLISHED.items():
        for B, published in counts.items():
            count = Network(architecture, upsampling, B, 5, 32, 32).model.count_params()
            assert count == published, f"{architecture} {upsampling} B = {B}: {count}, published {published}"
            print(f"{architecture} {upsampling or ''} B = {B}: {count}")


def main(folder):
    check_counts()
    for architecture, upsampling in PUBLISHED:
        for B, N, height, width in ((2, 3, 12, 20), (3, 2, 6, 10), (2, 3, 16, 16)):
            network, tensors, distance = case(architecture, upsampling, B, N, height, width)
            stem = architecture + (f"-{upsampling}" if upsampling else "")
            facts = {"upsampling": upsampling} if upsampling else {}
            save(f"{folder}/{stem}-b{B}-n{N}-{height}x{width}.safetensors", tensors, __file__,
                 architecture=architecture, B=B, N=N, order=",".join(network.weights), kink_distance=distance, **facts)
    network, tensors, distance = adam_case("unet++", 2, 3, 12, 20)
    save(f"{folder}/adam-unet++-b2-n3-12x20.safetensors", tensors, __file__, architecture="unet++", B=2, N=3, l2=1e-2,
         learning_rate=5e-4, order=",".join(network.weights), kink_distance=distance)


if __name__ == "__main__":
    main(sys.argv[1])
