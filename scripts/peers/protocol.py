"""How a peer talks with Lathe. Arguments: a folder and a variant.

The folder holds step.json (config, optimizer, threads) and step.safetensors: the weights by name, and tokens, targets and
lossWeights [B, T]. The peer writes gradients.safetensors, prints {"loss": …} and waits. Where both agree with Lathe's, lines
come on its input: for each it runs a whole training step (forward, backward, gradients clipped by their global norm, AdamW)
and prints {"ms": milliseconds}.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

# the settings of every named model; sizes and plan are free
FIXED = dict(
    norm='layer', activation='gelu', positions='rope', bias=False, finalNorm=True, tiedHead=False, attention='causal'
)


def parse_plan(plan):
    """'2,2x2,1' -> 0 1 2 3 2 3 4: the weights of each layer in the order in which they run."""
    order, first = [], 0
    for part in plan.split(','):
        layers, _, loops = part.partition('x')
        order += list(range(first, first + int(layers))) * int(loops or 1)
        first += int(layers)
    return order


def rope_tables(config, length):
    """Cosine and sine [T, dHead] of the rotation of the pairs (i, i + dHead / 2)."""
    half = config['dHead'] // 2
    frequency = config['ropeBase'] ** (-np.arange(half) / half)
    angle = np.tile(np.arange(length)[:, None] * frequency, 2)
    return np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)


def serve(prepare):
    """Serves one variant: prepare(settings, weights, batch, variant) gives two functions, gradients() -> loss, gradients
    by name, and train(), a whole step."""
    folder, variant = Path(sys.argv[1]), sys.argv[2]
    settings = json.loads((folder / 'step.json').read_text())
    config = settings['config']
    for name, value in FIXED.items():
        if config[name] != value:
            sys.exit(f'this peer has no model whose {name} is {config[name]}')
    weights = load_file(folder / 'step.safetensors')
    batch = [weights.pop(name) for name in ('tokens', 'targets', 'lossWeights')]
    gradients, train = prepare(settings, weights, batch, variant)

    loss, by_name = gradients()
    save_file({name: np.ascontiguousarray(g) for name, g in by_name.items()}, folder / 'gradients.safetensors')
    print(json.dumps(dict(loss=float(loss))), flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        train()
        print(json.dumps(dict(ms=1000 * (time.perf_counter() - start))), flush=True)
