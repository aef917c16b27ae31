"""JAX on the CPU beside Lathe: variants f32 and bf16, one jitted step."""

import json
import os
import sys
from functools import partial
from pathlib import Path

# XLA sizes its pool by the cores that it may use, and only before it is imported
threads = json.loads((Path(sys.argv[1]) / 'step.json').read_text())['threads']
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
os.environ['JAX_PLATFORMS'] = 'cpu'

import jax
import jax.numpy as jnp
from protocol import parse_plan, rope_tables, serve


def transformer(config, length, operand):
    """The loss of tokens [B, T] as a function of the weights. Linear maps are [out, in]."""
    order, heads = parse_plan(config['plan']), config['nHeads']
    cos, sin = (table[:, None] for table in rope_tables(config, length))

    def linear(p, name, x):
        """Operands of the chosen type, sums in f32."""
        w = p[f'{name}.weight']
        return jnp.einsum('btd,od->bto', x.astype(operand), w.astype(operand), preferred_element_type=jnp.float32)

    def norm(p, name, x):
        centred = x - x.mean(-1, keepdims=True)
        variance = (centred * centred).mean(-1, keepdims=True)
        return centred * jax.lax.rsqrt(variance + config['normEps']) * p[f'{name}.weight']

    def rotate(x_BTHK):
        first, second = jnp.split(x_BTHK, 2, -1)
        return x_BTHK * cos + jnp.concatenate((-second, first), -1) * sin

    def attention(p, at, x_BTD):
        q, k, v = (linear(p, f'{at}.{name}_proj', x_BTD).reshape(*x_BTD.shape[:2], heads, -1) for name in 'qkv')
        q, k, v = (value.astype(operand) for value in (rotate(q), rotate(k), v))
        mixed_BTHE = jax.nn.dot_product_attention(q, k, v, is_causal=True, scale=config['attentionScale'])
        return linear(p, f'{at}.o_proj', mixed_BTHE.reshape(*x_BTD.shape[:2], -1))

    def mlp(p, at, x_BTD):
        return linear(p, f'{at}.down_proj', jax.nn.gelu(linear(p, f'{at}.up_proj', x_BTD), approximate=True))

    def loss(p, tokens_BT, targets_BT, weights_BT):
        x_BTD = p['model.embed_tokens.weight'][tokens_BT]
        for i in order:
            at = f'model.layers.{i}'
            x_BTD = x_BTD + attention(p, f'{at}.self_attn', norm(p, f'{at}.input_layernorm', x_BTD))
            x_BTD = x_BTD + mlp(p, f'{at}.mlp', norm(p, f'{at}.post_attention_layernorm', x_BTD))
        logits_BTV = linear(p, 'lm_head', norm(p, 'model.norm', x_BTD))
        hits_BT = jnp.take_along_axis(logits_BTV, targets_BT[..., None], -1)[..., 0]
        return (weights_BT * (jax.nn.logsumexp(logits_BTV, -1) - hits_BT)).sum()

    return loss


def adamw(settings, parameters, gradients, moments, step):
    """Clipped by the global norm, then AdamW (Loshchilov & Hutter 2019, Algorithm 2)."""
    beta1, beta2 = settings['beta1'], settings['beta2']
    norm = jnp.sqrt(sum((g * g).sum() for g in gradients.values()))
    scale = jnp.minimum(1, settings['clip'] / norm)

    def update(p, g, first, second):
        g = g * scale
        first = beta1 * first + (1 - beta1) * g
        second = beta2 * second + (1 - beta2) * g * g
        direction = (first / (1 - beta1**step)) / (jnp.sqrt(second / (1 - beta2**step)) + settings['eps'])
        return p - settings['learningRate'] * (direction + settings['weightDecay'] * p), first, second

    updated = {name: update(p, gradients[name], *moments[name]) for name, p in parameters.items()}
    return {name: p for name, (p, *_) in updated.items()}, {name: tuple(m) for name, (_, *m) in updated.items()}


def prepare(settings, weights, batch, variant):
    operand = jnp.bfloat16 if variant == 'bf16' else jnp.float32
    parameters, batch = jax.device_put((weights, batch))
    state = [parameters, {name: (jnp.zeros_like(p), jnp.zeros_like(p)) for name, p in parameters.items()}]
    step = 0
    loss_and_gradients = jax.value_and_grad(transformer(settings['config'], batch[0].shape[1], operand))

    @partial(jax.jit, donate_argnums=(0, 1))
    def whole_step(parameters, moments, step, *batch):
        loss, gradients = loss_and_gradients(parameters, *batch)
        return loss, *adamw(settings['optimizer'], parameters, gradients, moments, step)

    def train():
        nonlocal step
        step += 1
        _, *state[:] = jax.block_until_ready(whole_step(*state, jnp.float32(step), *batch))

    return lambda: jax.jit(loss_and_gradients)(parameters, *batch), train


if __name__ == '__main__':
    serve(prepare)
