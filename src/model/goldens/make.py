"""Golden values of an independent looped transformer: PyTorch in float64 from float32 weights, stored as float32.

Shapes: B sequences, T positions, V vocabulary, D dModel, H heads, K dHead, E dHeadValue.
"""

import json
import math
import struct
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

try:
    from transformers.optimization import Adafactor
except ImportError:
    Adafactor = None

HERE = Path(__file__).parent
EPS = 1e-5  # both norms
ROPE_BASE = 10000.0

BASE = dict(
    plan='1x3', dModel=16, nHeads=2, dFf=32, norm='rms', activation='gelu', positions='rope', bias=False,
    finalNorm=True, tiedHead=False, attention='causal', vocabulary=17, maxLength=16,
)

# name: (settings that differ from BASE, sequences, positions)
CASES = {
    'looped': (dict(dModel=32, nHeads=4, dFf=64), 3, 9),
    'middle-looped': (dict(plan='2,2x2,1', norm='layer', bias=True), 2, 8),
    'two-loops-relu': (dict(plan='2x2,1x3', activation='relu'), 2, 10),
    'swiglu': (dict(plan='2x2', activation='swiglu', dFf=24), 3, 7),
    'learned-positions': (dict(plan='1,1x2', norm='layer', positions='learned', maxLength=14), 2, 12),
    'no-positions': (dict(positions='none', activation='swiglu', vocabulary=11), 3, 9),
    'no-norm': (dict(plan='1x4', norm='none', finalNorm=False, activation='relu'), 2, 11),
    'tied-head': (dict(plan='1x2,1', tiedHead=True, vocabulary=23), 3, 8),
    'bidirectional': (dict(norm='layer', bias=True, activation='relu', attention='bidirectional'), 2, 12),
    'head-widths': (dict(plan='2x2', nHeads=3, dHead=4, dHeadValue=10), 3, 7),
    'attention-scale': (dict(plan='1x2', attentionScale=0.75, finalNorm=False, dModel=24, nHeads=4), 2, 10),
    'untied': (dict(plan='3', norm='layer'), 2, 9),
    'single': (dict(plan='1x1', bias=True, activation='swiglu'), 3, 7),
}


def parse_plan(plan):
    """'2,2x2,1' -> [(2, 1), (2, 2), (1, 1)]: distinct layers and loops of each segment."""
    return [(int(layers), int(loops or 1)) for layers, _, loops in (part.partition('x') for part in plan.split(','))]


def head_widths(c):
    default = c['dModel'] // c['nHeads']
    return c.get('dHead', default), c.get('dHeadValue', default)


def parameter_shapes(c):
    """Every parameter of the model and its shape; linear maps are [out, in]."""
    d, h, f, v = c['dModel'], c['nHeads'], c['dFf'], c['vocabulary']
    k, e = head_widths(c)
    shapes = {'model.embed_tokens.weight': (v, d)}

    def linear(name, out, into):
        shapes[f'{name}.weight'] = (out, into)
        if c['bias']:
            shapes[f'{name}.bias'] = (out,)

    def norm(name):
        if c['norm'] != 'none':
            shapes[f'{name}.weight'] = (d,)
        if c['norm'] == 'layer' and c['bias']:
            shapes[f'{name}.bias'] = (d,)

    if c['positions'] == 'learned':
        shapes['model.embed_positions.weight'] = (c['maxLength'], d)
    for i in range(sum(layers for layers, _ in parse_plan(c['plan']))):
        at = f'model.layers.{i}'
        norm(f'{at}.input_layernorm')
        linear(f'{at}.self_attn.q_proj', h * k, d)
        linear(f'{at}.self_attn.k_proj', h * k, d)
        linear(f'{at}.self_attn.v_proj', h * e, d)
        linear(f'{at}.self_attn.o_proj', d, h * e)
        norm(f'{at}.post_attention_layernorm')
        if c['activation'] == 'swiglu':
            linear(f'{at}.mlp.gate_proj', f, d)
        linear(f'{at}.mlp.up_proj', f, d)
        linear(f'{at}.mlp.down_proj', d, f)
    if c['finalNorm']:
        norm('model.norm')
    if not c['tiedHead']:
        shapes['lm_head.weight'] = (v, d)
    return shapes


def rope(x_BHTK):
    """Rotates the pairs (i, i + K/2) of position t by t * base^(-2i/K)."""
    length, width = x_BHTK.shape[-2:]
    half = width // 2
    frequency = ROPE_BASE ** (-torch.arange(half, dtype=torch.float64) / half)
    angle_TK = (torch.arange(length, dtype=torch.float64)[:, None] * frequency).repeat(1, 2)
    first, second = x_BHTK.split(half, -1)
    rotated = torch.cat((-second, first), -1)
    return x_BHTK * angle_TK.cos() + rotated * angle_TK.sin()


class Transformer:
    """The pre-norm transformer of a loop plan: x += attention(norm(x)), x += mlp(norm(x))."""

    def __init__(self, config, parameters):
        self.c, self.p = config, parameters

    def linear(self, name, x):
        return F.linear(x, self.p[f'{name}.weight'], self.p.get(f'{name}.bias'))

    def norm(self, name, x_BTD):
        weight, bias = self.p.get(f'{name}.weight'), self.p.get(f'{name}.bias')
        match self.c['norm']:
            case 'rms':
                return F.rms_norm(x_BTD, (self.c['dModel'],), weight, EPS)
            case 'layer':
                return F.layer_norm(x_BTD, (self.c['dModel'],), weight, bias, EPS)
        return x_BTD

    def attention(self, at, x_BTD):
        key_width, _ = head_widths(self.c)
        q, k, v = (
            self.linear(f'{at}.{name}_proj', x_BTD).unflatten(-1, (self.c['nHeads'], -1)).transpose(1, 2)
            for name in 'qkv'
        )
        if self.c['positions'] == 'rope':
            q, k = rope(q), rope(k)
        scores_BHTT = q @ k.mT * self.c.get('attentionScale', key_width**-0.5)
        if self.c['attention'] == 'causal':
            future_TT = torch.ones(scores_BHTT.shape[-2:], dtype=torch.bool).triu(1)
            scores_BHTT = scores_BHTT.masked_fill(future_TT, -math.inf)
        mixed_BHTE = scores_BHTT.softmax(-1) @ v
        return self.linear(f'{at}.o_proj', mixed_BHTE.transpose(1, 2).flatten(-2))

    def mlp(self, at, x_BTD):
        up = self.linear(f'{at}.up_proj', x_BTD)
        match self.c['activation']:
            case 'gelu':
                hidden = F.gelu(up, approximate='tanh')
            case 'relu':
                hidden = F.relu(up)
            case 'swiglu':
                hidden = F.silu(self.linear(f'{at}.gate_proj', x_BTD)) * up
        return self.linear(f'{at}.down_proj', hidden)

    def layer(self, i, x_BTD):
        at = f'model.layers.{i}'
        x_BTD = x_BTD + self.attention(f'{at}.self_attn', self.norm(f'{at}.input_layernorm', x_BTD))
        return x_BTD + self.mlp(f'{at}.mlp', self.norm(f'{at}.post_attention_layernorm', x_BTD))

    def forward(self, tokens_BT):
        """Logits [B,T,V], and the mean L2 norm of the residual stream after every loop of every segment."""
        embedding_VD = self.p['model.embed_tokens.weight']
        x_BTD = embedding_VD[tokens_BT]
        if self.c['positions'] == 'learned':
            x_BTD = x_BTD + self.p['model.embed_positions.weight'][: tokens_BT.shape[1]]
        state_norms, first = [], 0
        for layers, loops in parse_plan(self.c['plan']):
            for _ in range(loops):
                for i in range(first, first + layers):
                    x_BTD = self.layer(i, x_BTD)
                state_norms.append(x_BTD.norm(dim=-1).mean())
            first += layers
        if self.c['finalNorm']:
            x_BTD = self.norm('model.norm', x_BTD)
        head_VD = embedding_VD if self.c['tiedHead'] else self.p['lm_head.weight']
        return x_BTD @ head_VD.mT, torch.stack(state_norms)


def weighted_loss(logits_BTV, targets_BT, weights_BT):
    """Sum of weight * cross-entropy over all positions; target -1 stands where the weight is 0."""
    each = F.cross_entropy(logits_BTV.flatten(0, 1), targets_BT.flatten(), ignore_index=-1, reduction='none')
    return (each * weights_BT.flatten()).sum()


def draw_parameters(config, rng):
    """Float32 weights: every gain and bias is random too, so that a missing one changes the result."""
    parameters = {}
    for name, shape in parameter_shapes(config).items():
        normal = rng.standard_normal(shape)
        if len(shape) == 1:
            value = 0.2 * normal + (1 if 'norm.weight' in name else 0)
        else:
            scale = 0.6 if 'embed' in name else 1.2 / math.sqrt(shape[1])
            value = normal * scale * (0.5 if config['norm'] == 'none' else 1)
        parameters[name] = value.astype(np.float32)
    return parameters


def draw_batch(config, sequences, length, rng):
    shape = (sequences, length)
    tokens = rng.integers(0, config['vocabulary'], shape)
    targets = rng.integers(0, config['vocabulary'], shape)
    unscored = rng.random(shape) < 0.25
    unscored[0, 1], unscored[0, 2] = True, False
    weights = np.where(unscored, 0, rng.uniform(0.02, 0.2, shape))
    return tokens.astype(np.int32), np.where(unscored, -1, targets).astype(np.int32), weights.astype(np.float32)


def check_gradients(loss_of, parameters, gradients, rng):
    """Central differences of one random entry of every parameter among those that have a gradient."""
    step = 1e-5
    for name, gradient in gradients.items():
        assert gradient.abs().max() > 1e-5, f'{name}: the gradient is zero, so it proves nothing'
        entries = np.argwhere(np.abs(gradient.numpy()) > 1e-3 * gradient.abs().max().item())
        at = tuple(entries[rng.integers(len(entries))])
        with torch.no_grad():
            value = parameters[name][at].item()
            parameters[name][at] = value + step
            above = loss_of()
            parameters[name][at] = value - step
            below = loss_of()
            parameters[name][at] = value
        difference = ((above - below) / (2 * step)).item()
        assert math.isclose(difference, gradient[at].item(), rel_tol=1e-5, abs_tol=1e-9), (
            f'{name}{list(at)}: gradient {gradient[at].item()}, finite difference {difference}'
        )


def make_case(config, sequences, length, seed):
    rng = np.random.default_rng(seed)
    stored = draw_parameters(config, rng)
    tokens, targets, weights = draw_batch(config, sequences, length, rng)
    parameters = {name: torch.tensor(value, dtype=torch.float64, requires_grad=True) for name, value in stored.items()}
    model = Transformer(config, parameters)
    inputs, goals, scales = torch.tensor(tokens).long(), torch.tensor(targets).long(), torch.tensor(weights).double()

    logits, state_norms = model.forward(inputs)
    loss = weighted_loss(logits, goals, scales)
    gradients = dict(zip(parameters, torch.autograd.grad(loss, list(parameters.values()))))
    check_gradients(lambda: weighted_loss(model.forward(inputs)[0], goals, scales), parameters, gradients, rng)

    tensors = dict(tokens=tokens, targets=targets, weights=weights)
    tensors |= dict(loss=loss[None], logits=logits, stateNorms=state_norms)
    return stored | tensors | {f'grad.{name}': gradient for name, gradient in gradients.items()}


OPTIMIZERS = {
    'adamw': dict(lr=1e-2, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.0),
    'adamwDecay': dict(lr=1e-2, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1),
    'muon': dict(lr=1e-2, momentum=0.95, weight_decay=0.1),
    'adafactor': dict(lr=1e-2, eps=(1e-30, 1e-3), clip_threshold=1.0, decay_rate=-0.8, weight_decay=0.0),
}


def adafactor_by_formula(start, gradients, lr, eps, clip_threshold, decay_rate, weight_decay):
    """Shazeer & Stern 2018, algorithms 4 and 5 without relative step, in the form of Hugging Face transformers.

    Returns the parameters after each step, and how much each update was clipped.
    """
    x, second, steps, clips = start, 0, [], []
    for t, g in enumerate(gradients, 1):
        beta2 = 1 - t**decay_rate
        second = beta2 * second + (1 - beta2) * (g**2 + eps[0])  # means of rows and columns are linear in it
        if g.ndim == 2:
            rows, columns = second.mean(1, keepdim=True), second.mean(0, keepdim=True)
            update = g / (rows * columns / rows.mean()).sqrt()
        else:
            update = g / second.sqrt()
        clips.append(max(1.0, update.square().mean().sqrt().item() / clip_threshold))
        x = x * (1 - weight_decay * lr) - lr * update / clips[-1]
        steps.append(x)
    return torch.stack(steps), clips


def muon_by_formula(start, gradients, lr, momentum, weight_decay):
    """Jordan et al. 2024 with Nesterov momentum, in the precision of its arguments; torch.optim.Muon iterates in bfloat16."""
    x, velocity, steps = start, torch.zeros_like(start), []
    for g in gradients:
        velocity = momentum * velocity + (1 - momentum) * g
        u = momentum * velocity + (1 - momentum) * g
        u = u / (u.norm() + 1e-7)
        tall = u.shape[0] > u.shape[1]
        u = u.T if tall else u
        for _ in range(5):
            square = u @ u.T
            u = 3.4445 * u + (-4.775 * square + 2.0315 * square @ square) @ u
        u = u.T if tall else u
        x = x * (1 - weight_decay * lr) - lr * max(1, x.shape[0] / x.shape[1]) ** 0.5 * u
        steps.append(x)
    return torch.stack(steps)


def by_optimizer(kind, settings, start, gradients):
    x = start.clone().requires_grad_()
    optimizer, steps = kind([x], **settings), []
    for gradient in gradients:
        x.grad = gradient
        optimizer.step()
        steps.append(x.detach().clone())
    return torch.stack(steps)


def make_optimizers(seed):
    rng = np.random.default_rng(seed)
    sizes = np.array([1, 0.2, 3, 0.5, 2])  # so that Adafactor clips some updates and not others
    tensors, clips = {}, []
    for name, shape in dict(matrix=(5, 7), vector=(7,), tall=(7, 3)).items():
        initial = rng.standard_normal(shape).astype(np.float32)
        gradients = (rng.standard_normal((5, *shape)) * sizes.reshape(5, *[1] * len(shape))).astype(np.float32)
        if name == 'matrix':
            gradients[0, 3] = 0  # as the embedding of a token that the batch lacks
        tensors |= {f'initial.{name}': initial, f'gradients.{name}': gradients}
        start, slopes = torch.tensor(initial).double(), torch.tensor(gradients).double()
        if name != 'vector':
            tensors[f'muon.{name}'] = muon_by_formula(start, slopes, **OPTIMIZERS['muon'])
            theirs = by_optimizer(torch.optim.Muon, OPTIMIZERS['muon'], start, slopes)
            torch.testing.assert_close(tensors[f'muon.{name}'], theirs, rtol=0, atol=1e-3)
        if name == 'tall':
            continue
        for optimizer in ('adamw', 'adamwDecay'):
            tensors[f'{optimizer}.{name}'] = by_optimizer(torch.optim.AdamW, OPTIMIZERS[optimizer], start, slopes)
        settings = OPTIMIZERS['adafactor']
        tensors[f'adafactor.{name}'], clipped = adafactor_by_formula(start, slopes, **settings)
        clips += clipped
        if Adafactor:
            plain = dict(scale_parameter=False, relative_step=False, warmup_init=False)
            theirs = by_optimizer(Adafactor, settings | plain, start, slopes)
            torch.testing.assert_close(tensors[f'adafactor.{name}'], theirs, rtol=1e-12, atol=1e-12)
    assert max(clips) > 1.1 and clips.count(1.0) > 1, f'Adafactor must clip some updates and not others: {clips}'
    return tensors


def write_safetensors(path, tensors, config):
    """By hand: the safetensors package writes metadata in an order that changes from run to run."""
    header = {'__metadata__': {'config': json.dumps(config), 'torch': torch.__version__}}
    data = b''
    for name, tensor in tensors.items():
        array = np.asarray(tensor.detach() if isinstance(tensor, torch.Tensor) else tensor)
        assert np.isfinite(array).all(), f'{path.name}: {name} is not finite'
        kind, stored = ('I32', array.astype('<i4')) if array.dtype.kind == 'i' else ('F32', array.astype('<f4'))
        header[name] = dict(dtype=kind, shape=array.shape, data_offsets=(len(data), len(data) + stored.nbytes))
        data += stored.tobytes()
    text = json.dumps(header, separators=(',', ':')).encode()
    text += b' ' * (-len(text) % 8)
    path.write_bytes(struct.pack('<Q', len(text)) + text + data)


def check_file(path):
    """Reads the file back with the safetensors package and says what it holds."""
    try:
        from safetensors import safe_open
    except ImportError:
        return print(f'{path.name}: {path.stat().st_size} bytes, not read back (no safetensors package)')
    with safe_open(path, 'pt') as file:
        config, count = json.loads(file.metadata()['config']), len([file.get_tensor(name) for name in file.keys()])
        loss = f'loss {file.get_tensor("loss").item():.6f}, ' if 'loss' in file.keys() else ''
    print(f'{path.name}: {loss}{count} tensors, {path.stat().st_size} bytes, {config}')


def main():
    torch.set_num_threads(1)
    for seed, (name, (settings, sequences, length)) in enumerate(CASES.items()):
        config = BASE | settings
        write_safetensors(HERE / f'{name}.safetensors', make_case(config, sequences, length, seed), config)
        check_file(HERE / f'{name}.safetensors')
    write_safetensors(HERE / 'optimizers.safetensors', make_optimizers(len(CASES)), OPTIMIZERS)
    check_file(HERE / 'optimizers.safetensors')
    if not Adafactor:
        print('Adafactor was not compared with transformers, which is not installed', file=sys.stderr)


if __name__ == '__main__':
    main()
