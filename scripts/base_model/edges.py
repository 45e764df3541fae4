"How wide edges are: a finished picture's beside a drawing's of that size."

import numpy as np
from PIL import Image

REACH = 4  # pixels to either side of an edge
LEAST = 24  # grey levels from one side to the other; less is shading


def edge_width(pictures: list[Image.Image]) -> float:
    "Median over all edges, in pixels: the difference between their sides over their steepest step."
    widths = []
    for picture in pictures:
        grey = np.asarray(picture.convert("L"), float)
        widths += [along_rows(grey), along_rows(grey.T)]
    return float(np.median(np.concatenate(widths)))


def along_rows(grey: np.ndarray) -> np.ndarray:
    "Widths of the edges that cross rows, (n,)."
    steps = np.abs(np.diff(grey, axis=1))
    windows = np.lib.stride_tricks.sliding_window_view(steps, 2 * REACH + 1, axis=1)
    steepest = windows[..., REACH]
    across = np.abs(grey[:, 2 * REACH + 1 :] - grey[:, : -2 * REACH - 1])
    is_edge = (steepest == windows.max(-1)) & (across > LEAST)
    return across[is_edge] / steepest[is_edge]
