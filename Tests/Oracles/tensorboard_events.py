#!/usr/bin/env python3
"""Writes Tests/TensorBoardTests/Fixtures/events.tfevents with TensorBoard's own record writer and messages.

    pip install tensorboard==2.21.0 setuptools
    Tests/Oracles/tensorboard_events.py Tests/TensorBoardTests/Fixtures

Two epochs as a training writes them; the times are those of EventFileTests.
"""
import os
import sys

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

STEPS = [(1, 1700000000, [("loss/train", 0.75), ("penalty", 0.0)]), (2, 1700000060.5, [("loss/train", 0.1), ("penalty", -1e-30)])]

with open(os.path.join(sys.argv[1], "events.tfevents"), "wb") as file:
    writer = RecordWriter(file)
    writer.write(Event(wall_time=STEPS[0][1], step=0, file_version="brain.Event:2").SerializeToString())
    for number, time, scalars in STEPS:
        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in scalars]
        writer.write(Event(wall_time=time, step=number, summary=Summary(value=values)).SerializeToString())
    writer.flush()
