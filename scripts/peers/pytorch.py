"""PyTorch on the CPU beside Lathe: variants eager-f32, eager-bf16, compile-f32 and compile-bf16."""

import torch
import torch.nn.functional as F
from protocol import parse_plan, rope_tables, serve


def transformer(config, length):
    """The loss of tokens [B, T] as a function of the weights. Linear maps are [out, in]."""
    order, heads = parse_plan(config['plan']), config['nHeads']
    cos, sin = (torch.from_numpy(table) for table in rope_tables(config, length))

    def norm(p, name, x):
        return F.layer_norm(x, (config['dModel'],), p[f'{name}.weight'], None, config['normEps'])

    def rotate(x_BHTK):
        first, second = x_BHTK.chunk(2, -1)
        return x_BHTK * cos.to(x_BHTK.dtype) + torch.cat((-second, first), -1) * sin.to(x_BHTK.dtype)

    def attention(p, at, x_BTD):
        q, k, v = (
            F.linear(x_BTD, p[f'{at}.{name}_proj.weight']).unflatten(-1, (heads, -1)).transpose(1, 2) for name in 'qkv'
        )
        mixed_BHTE = F.scaled_dot_product_attention(
            rotate(q), rotate(k), v, is_causal=True, scale=config['attentionScale']
        )
        return F.linear(mixed_BHTE.transpose(1, 2).flatten(-2), p[f'{at}.o_proj.weight'])

    def mlp(p, at, x_BTD):
        hidden = F.gelu(F.linear(x_BTD, p[f'{at}.up_proj.weight']), approximate='tanh')
        return F.linear(hidden, p[f'{at}.down_proj.weight'])

    def loss(p, tokens_BT, targets_BT, weights_BT):
        x_BTD = F.embedding(tokens_BT, p['model.embed_tokens.weight'])
        for i in order:
            at = f'model.layers.{i}'
            x_BTD = x_BTD + attention(p, f'{at}.self_attn', norm(p, f'{at}.input_layernorm', x_BTD))
            x_BTD = x_BTD + mlp(p, f'{at}.mlp', norm(p, f'{at}.post_attention_layernorm', x_BTD))
        logits_BTV = F.linear(norm(p, 'model.norm', x_BTD), p['lm_head.weight'])
        losses = F.cross_entropy(logits_BTV.flatten(0, 1).float(), targets_BT.flatten(), ignore_index=-1, reduction='none')
        return (losses * weights_BT.flatten()).sum()

    return loss


def prepare(settings, weights, batch, variant):
    torch.set_num_threads(settings['threads'])
    mode, precision = variant.split('-')
    parameters = {name: torch.from_numpy(value).requires_grad_() for name, value in weights.items()}
    tokens, targets, loss_weights = (torch.from_numpy(value) for value in batch)
    o = settings['optimizer']
    optimizer = torch.optim.AdamW(
        parameters.values(),
        lr=o['learningRate'],
        betas=(o['beta1'], o['beta2']),
        eps=o['eps'],
        weight_decay=o['weightDecay'],
        fused=True,
    )
    loss_of = transformer(settings['config'], tokens.shape[1])
    if mode == 'compile':
        loss_of = torch.compile(loss_of)

    def gradients():
        optimizer.zero_grad()
        with torch.autocast('cpu', torch.bfloat16, enabled=precision == 'bf16'):
            loss = loss_of(parameters, tokens, targets.long(), loss_weights)
        loss.backward()
        return loss.detach(), {name: p.grad for name, p in parameters.items()}

    def train():
        gradients()
        torch.nn.utils.clip_grad_norm_(parameters.values(), o['clip'])
        optimizer.step()

    return gradients, train


if __name__ == '__main__':
    serve(prepare)
