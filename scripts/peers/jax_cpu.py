"""JAX on the CPU beside Lathe: variants f32 and bf16, one jitted step."""

import json
import os
import sys
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


def prepare(config, weights, batch, variant, _threads):
    operand = jnp.bfloat16 if variant == 'bf16' else jnp.float32
    parameters, batch = jax.device_put((weights, batch))
    step = jax.jit(jax.value_and_grad(transformer(config, batch[0].shape[1], operand)))
    return lambda: jax.block_until_ready(step(parameters, *batch))


if __name__ == '__main__':
    serve(prepare)
