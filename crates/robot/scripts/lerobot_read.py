"""What lerobot itself reads of a dataset, as bytes: `lerobot_read.py DATASET OUT`.

For every row, in order: state, action, states of all ticks, actions and marks of all ticks (f32), number of ticks,
frame, episode, index (i64), time (f64), then the pictures of all cameras as `[H, W, 3]` bytes. Instructions
go to `OUT.tasks`, one a line.
"""

import sys

import numpy as np
from lerobot.datasets.lerobot_dataset import LeRobotDataset

root, out = sys.argv[1:]
dataset = LeRobotDataset("local/check", root=root)
assert len(dataset) == dataset.meta.total_frames, "as many rows as told"
assert dataset.num_episodes == dataset.meta.total_episodes, "as many episodes as told"
for key, feature in dataset.meta.features.items():
    stats = dataset.meta.stats[key]
    width = 3 if feature["dtype"] == "image" else feature["shape"][0]
    assert all(stats[name].size == width for name in ["min", "max", "mean", "std", "q01", "q50", "q99"]), key
for episode in range(dataset.num_episodes):
    row = dataset.meta.episodes[episode]
    first = dataset[row["dataset_from_index"]]
    assert row["tasks"] == [first["task"]], "the episode's instruction is its rows'"
    assert first["frame_index"].item() == 0

with open(out, "wb") as file, open(out + ".tasks", "w") as tasks:
    for row in dataset:
        for key in ["observation.state", "action", "tetrad.ticks.state", "tetrad.ticks.action", "tetrad.ticks.marks"]:
            file.write(row[key].numpy().astype("<f4").tobytes())
        for key in ["tetrad.ticks.n", "frame_index", "episode_index", "index"]:
            file.write(np.array(row[key].item(), "<i8").tobytes())
        file.write(np.array(row["timestamp"].item(), "<f8").tobytes())
        for key in dataset.meta.camera_keys:
            picture = row[key].numpy().transpose(1, 2, 0)
            bytes_ = np.round(picture * 255.0).astype(np.uint8)
            assert np.array_equal(bytes_.astype(np.float32) / 255.0, picture), "pictures are whole bytes"
            file.write(bytes_.tobytes())
        tasks.write(row["task"] + "\n")

# Chunks of actions, as policies ask for them; at the end of an episode the last one is repeated.
step = 1.0 / dataset.fps
chunks = LeRobotDataset("local/check", root=root, delta_timestamps={"action": [k * step for k in range(4)]})
last = chunks[len(chunks) - 1]
assert last["action"].shape[0] == 4 and last["action_is_pad"].tolist() == [False, True, True, True]
