#!/usr/bin/env python3
"""Prints the literals of Tests/NetworkTests/StreamTests.swift: what a seed means, computed apart from the engine.

    python3 Tests/Oracles/random_streams.py      (made with Python 3 and NumPy 2.4.6)

Philox 4x32 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011) in Python's integers: ten rounds for all draws, seven for drop-out.
"""
import math

import numpy

WORD = 0xFFFFFFFF


def philox(counter, key, rounds):
    counter, key = list(counter), list(key)
    for index in range(rounds):
        if index:
            key = [(key[0] + 0x9E3779B9) & WORD, (key[1] + 0xBB67AE85) & WORD]
        first, second = counter[0] * 0xD2511F53, counter[2] * 0xCD9E8D57
        counter = [(second >> 32) ^ counter[1] ^ key[0], second & WORD, (first >> 32) ^ counter[3] ^ key[1], first & WORD]
    return counter


# Of the paper's known answers.
assert philox((0,) * 4, (0, 0), 10) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]


def kept(first, count, rate, key, epoch, sample, layer):
    """Bit i is 1 where drop-out keeps element `first` + i: eight 16-bit numbers a counter."""
    threshold = int(numpy.float32(numpy.float32(rate) * numpy.float32(65536) + numpy.float32(0.5)))
    bits = 0
    for index in range(count):
        block, lane = divmod(first + index, 8)
        words = philox((block, layer, epoch, sample), (key & WORD, key >> 32), 7)
        if (words[lane // 2] >> (16 * (lane % 2))) & 0xFFFF >= threshold:
            bits |= 1 << index
    return bits


class Stream:
    """`CounterRandom`."""

    def __init__(self, seed, purpose, epoch=0, sample=0):
        self.key = (seed & WORD, (seed >> 32) ^ ((purpose * 0x9E3779B9) & WORD))
        self.place, self.block, self.words = (epoch, sample), 0, []

    def word(self):
        if not self.words:
            self.words = philox((self.block & WORD, self.block >> 32, *self.place), self.key, 10)
            self.block += 1
        return self.words.pop(0)

    def permutation(self, count):
        order = list(range(count))
        for i in range(count - 1, 0, -1):
            j = (self.word() * (i + 1)) >> 32
            order[i], order[j] = order[j], order[i]
        return order

    def normal(self):
        """Box and Muller's."""
        radius, angle = max(self.word() * 2.0**-32, 2.0**-33), self.word() * 2.0**-32
        return numpy.float32(math.sqrt(-2 * math.log(radius)) * math.cos(2 * math.pi * angle))


def weights(parameter, fan_in, count=4, seed=1):
    """He's normal distribution cut at two standard deviations, its variance put right (Keras's `he_normal`)."""
    deviation = numpy.float32(numpy.sqrt(numpy.float32(2) / numpy.float32(fan_in))) / numpy.float32(0.87962566)
    stream, values = Stream(seed, PURPOSES["weights"], 0, parameter), []
    while len(values) < count:
        value = stream.normal()
        if abs(value) <= 2:
            values.append(f"{numpy.float32(value * deviation):.8g}")
    return values


def unet_plus_dropouts(depth, transposed, batch_norm):
    """The numbers of U-Net+'s drop-outs as layers are counted in its training network: one a block, behind its convolution (and batch norm)."""
    layer, numbers = 0, []

    def blocks(count):
        nonlocal layer
        for _ in range(count):
            layer += 2 if batch_norm else 1
            numbers.append(layer)
            layer += 1

    blocks(1 + 2 * (depth - 1))
    for level in range(2, depth):
        blocks(2 * (depth - level))
    for _ in range(depth - 1):
        layer += 1 if transposed else 0
        blocks(2)
    return numbers


PURPOSES = dict(weights=1, shuffle=3, augmentation=4, crops=5, split=6, synthetic=7, testing=8, bootstrap=9)

if __name__ == "__main__":
    for first, key, epoch, sample, layer, rate in [
        (0, 1, 1, 0, 11, 0.5), (0, 1, 2, 7, 15, 0.5), (8, 0x0123456789ABCDEF, 1, 0, 11, 0.5), (4096, 0x0123456789ABCDEF, 300, 579, 73, 0.3)
    ]:
        print("kept", first, hex(key), epoch, sample, layer, rate, hex(kept(first, 64, rate, key, epoch, sample, layer)))
    for sample in (4, 7):
        print("program, sample", sample, hex(kept(0, 64, 0.5, 1, 2, sample, 0)), hex(kept(64, 64, 0.5, 1, 2, sample, 0)))
    for name, purpose in PURPOSES.items():
        print(name, hex(Stream(1, purpose, 2, 3).word()), Stream(1, purpose, 2, 3).permutation(10))
    print("seed above 2^32", hex(Stream((5 << 32) + 1, PURPOSES["shuffle"], 2, 3).word()))
    print("unet down1.conv1.kernel", weights(0, 9))
    print("unet++ X01.up.kernel", weights(20, 64))
    print("unet+ C12.kernel", weights(18, 144))
    for batch_norm in (True, False):
        print("unet+, batch norm", batch_norm, [unet_plus_dropouts(5, transposed, batch_norm) for transposed in (True, False)])
