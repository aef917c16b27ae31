/**
 * One pre-norm transformer layer. T positions, d model width, H heads, K and V key and value widths.
 */
import type { Tensor } from '../graph/graph.ts'
import { add, attention, mul, unary } from '../ops/index.ts'
import { linear, type NormSettings, normalize } from './linear.ts'

export interface LayerSettings extends NormSettings {
  readonly dModel: number
  readonly nHeads: number
  readonly dHead: number
  readonly dHeadValue: number
  readonly dFf: number
  readonly activation: 'gelu' | 'relu' | 'swiglu'
  readonly positions: 'rope' | 'learned' | 'none'
  readonly ropeBase: number
  readonly attention: 'causal' | 'bidirectional'
  readonly attentionScale: number
}

/** What a sequence says about itself beside its tokens. */
export interface Sequence {
  /** i32`[T]`: RoPE positions. Default 0 … T−1. */
  readonly positions?: Tensor
  /** i32`[T]`: a position sees only its own segment; padding is a segment of its own. */
  readonly segments?: Tensor
}

/** Multi-head self-attention `[T, d]` → `[T, d]`; RoPE is applied in every layer and every loop. */
export function selfAttention(name: string, x_Td: Tensor, s: LayerSettings, sequence: Sequence): Tensor {
  const project = (part: string, width: number) => linear(`${name}.${part}_proj`, x_Td, s.nHeads * width, s.bias)
  const mixed = attention(project('q', s.dHead), project('k', s.dHead), project('v', s.dHeadValue), {
    nHeads: s.nHeads,
    causal: s.attention === 'causal',
    scale: s.attentionScale,
    ropeBase: s.positions === 'rope' ? s.ropeBase : 0,
    ...sequence,
  })
  return linear(`${name}.o_proj`, mixed, s.dModel, s.bias)
}

/** down(f(up x)), or down(silu(gate x) · up x) for SwiGLU (Shazeer 2020). */
export function feedForward(name: string, x_Td: Tensor, s: LayerSettings): Tensor {
  const up = linear(`${name}.up_proj`, x_Td, s.dFf, s.bias)
  const hidden =
    s.activation === 'swiglu'
      ? mul(unary('silu', linear(`${name}.gate_proj`, x_Td, s.dFf, s.bias)), up)
      : unary(s.activation, up)
  return linear(`${name}.down_proj`, hidden, s.dModel, s.bias)
}

/** x + attention(norm x), then + feed-forward(norm x). */
export function layer(name: string, x_Td: Tensor, s: LayerSettings, sequence: Sequence = {}): Tensor {
  const attended = selfAttention(`${name}.self_attn`, normalize(`${name}.input_layernorm`, x_Td, s), s, sequence)
  const x = add(x_Td, attended)
  return add(x, feedForward(`${name}.mlp`, normalize(`${name}.post_attention_layernorm`, x, s), s))
}
