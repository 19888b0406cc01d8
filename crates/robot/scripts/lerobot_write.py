"""A dataset that lerobot itself writes: `lerobot_write.py TO OUT`.

Two cameras of 64 x 48, `top` in the rows and `side` as video, a state of 6 and an action of 4 values, 30
rows a second. What was given to lerobot goes to `OUT`: for every row, state and action (f32) and the
pictures of both cameras. Decoded frames of the video, as lerobot has them, go to `OUT.side`.
"""

import sys

import numpy as np
from lerobot.datasets.lerobot_dataset import LeRobotDataset

LENGTHS = [7, 12, 5]
TASKS = ["put the red cube in the bin", "open the drawer"]


def picture(row, camera):
    """Smooth, so that a video keeps it."""
    y, x = np.mgrid[0:48, 0:64]
    red, green = x * 3 + row * 2, y * 4 + camera * 20
    return np.stack([red, green, np.full_like(x, 40 + 6 * row)], -1).clip(0, 255).astype(np.uint8)


if __name__ == "__main__":
    root, out = sys.argv[1:]
    number = {"dtype": "float32", "names": None}
    camera = {"shape": (48, 64, 3), "names": ["height", "width", "channels"]}
    features = {
        "observation.state": {**number, "shape": (6,)},
        "action": {**number, "shape": (4,)},
        "observation.images.top": {**camera, "dtype": "image"},
        "observation.images.side": {**camera, "dtype": "video"},
    }
    dataset = LeRobotDataset.create("local/other", fps=30, features=features, root=root, robot_type="other")
    index = 0
    with open(out, "wb") as file:
        for episode, length in enumerate(LENGTHS):
            for _ in range(length):
                state = np.sin(np.arange(6) + index).astype(np.float32)
                action = np.cos(np.arange(4) * index).astype(np.float32)
                pictures = [picture(index, 0), picture(index, 1)]
                dataset.add_frame(
                    {
                        "observation.state": state,
                        "action": action,
                        "observation.images.top": pictures[0],
                        "observation.images.side": pictures[1],
                        "task": TASKS[episode % 2],
                    }
                )
                for part in [state, action, *pictures]:
                    file.write(part.tobytes())
                index += 1
            dataset.save_episode()
    dataset.finalize()
    again = LeRobotDataset("local/other", root=root, video_backend="pyav")
    with open(out + ".side", "wb") as file:
        for row in again:
            frame = row["observation.images.side"].numpy().transpose(1, 2, 0)
            file.write(np.round(frame * 255.0).astype(np.uint8).tobytes())
