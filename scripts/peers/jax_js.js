/** `@jax-js/jax` (WebAssembly) beside Lathe: f32, one jitted step. An array that is used again is handed on as `x.ref`. */
import { library, parsePlan, ropeTables, serve, settings } from './protocol.js'

const { init, defaultDevice, jit, valueAndGrad, blockUntilReady, nn, tree, numpy: np } = library('@jax-js/jax')
const { config, optimizer } = settings

/** The loss of tokens [B, T] as a function of the weights. Linear maps are [out, in]; rows are the B · T positions. */
function transformer(B, T) {
  const { nHeads: H, dHead: K, dModel: D } = config
  const [cos, sin] = ropeTables(config, T).map((data) => np.array(data).reshape([1, T, 1, K]))
  const hidden = Float32Array.from({ length: T * T }, (_, i) => (i % T > Math.floor(i / T) ? -1e9 : 0))
  const mask = np.array(hidden).reshape([1, 1, T, T])

  const linear = (p, name, x) => np.matmul(x, p[`${name}.weight`].ref.transpose())
  const mean = (x) => np.mean(x, -1, { keepdims: true })
  const norm = (p, name, x) => {
    const centred = x.ref.sub(mean(x))
    const variance = mean(np.square(centred.ref))
    return centred.div(np.sqrt(variance.add(config.normEps))).mul(p[`${name}.weight`].ref)
  }
  const rotate = (x) => {
    const [first, second] = np.split(x.ref, 2, -1)
    return x.mul(cos.ref).add(np.concatenate([second.mul(-1), first], -1).mul(sin.ref))
  }
  const attention = (p, at, x) => {
    const [q, k, v] = ['q', 'k', 'v'].map((name) => linear(p, `${at}.${name}_proj`, x.ref).reshape([B, T, H, K]))
    x.dispose()
    // by hand: dotProductAttention needs a later Node
    const heads = (x) => np.transpose(x, [0, 2, 1, 3])
    const keys = np.transpose(rotate(k), [0, 2, 3, 1])
    const scores = np
      .matmul(heads(rotate(q)), keys)
      .mul(config.attentionScale)
      .add(mask.ref)
    const mixed = heads(np.matmul(nn.softmax(scores, -1), heads(v)))
    return linear(p, `${at}.o_proj`, mixed.reshape([B * T, D]))
  }
  const mlp = (p, at, x) => linear(p, `${at}.down_proj`, nn.gelu(linear(p, `${at}.up_proj`, x), { approximate: true }))

  return (p, tokens, targets, lossWeights) => {
    let x = np.matmul(nn.oneHot(tokens, config.vocabulary), p['model.embed_tokens.weight'].ref)
    for (const i of parsePlan(config.plan)) {
      const at = `model.layers.${i}`
      x = x.ref.add(attention(p, `${at}.self_attn`, norm(p, `${at}.input_layernorm`, x)))
      x = x.ref.add(mlp(p, `${at}.mlp`, norm(p, `${at}.post_attention_layernorm`, x)))
    }
    const logits = linear(p, 'lm_head', norm(p, 'model.norm', x))
    const hits = np.sum(logits.ref.mul(nn.oneHot(targets, config.vocabulary)), -1)
    tree.dispose(p)
    return np.sum(nn.logsumexp(logits, -1).sub(hits).mul(lossWeights))
  }
}

/** Clipped by the global norm, then AdamW (Loshchilov & Hutter 2019, Algorithm 2). */
function adamw(parameters, gradients, moments, correction1, correction2) {
  const { beta1, beta2, eps, learningRate, weightDecay, clip } = optimizer
  const squares = Object.values(gradients).map((g) => np.sum(np.square(g.ref)))
  const norm = np.sqrt(squares.reduce((total, x) => total.add(x)))
  const scale = np.minimum(np.reciprocal(norm).mul(clip), 1)
  const updated = { parameters: {}, moments: {} }
  for (const [name, p] of Object.entries(parameters)) {
    const g = gradients[name].mul(scale.ref)
    const first = moments[name][0].mul(beta1).add(g.ref.mul(1 - beta1))
    const second = moments[name][1].mul(beta2).add(np.square(g).mul(1 - beta2))
    const divisor = np.sqrt(second.ref.mul(correction2.ref)).add(eps)
    const direction = first.ref.mul(correction1.ref).div(divisor)
    updated.parameters[name] = p.mul(1 - learningRate * weightDecay).sub(direction.mul(learningRate))
    updated.moments[name] = [first, second]
  }
  tree.dispose([scale, correction1, correction2])
  return updated
}

await serve(async (weights, batch) => {
  await init('wasm')
  defaultDevice('wasm')
  const parametersOf = ([name, { shape, data }]) => [name, np.array(data).reshape(shape)]
  let parameters = Object.fromEntries(Object.entries(weights).map(parametersOf))
  const zeros = ([name, { shape }]) => [name, [np.zeros(shape), np.zeros(shape)]]
  let moments = Object.fromEntries(Object.entries(weights).map(zeros))
  const [B, T] = batch.tokens.shape
  const ids = ({ data }) => np.array(data, { dtype: np.int32 })
  const data = [ids(batch.tokens), ids(batch.targets), np.array(batch.lossWeights.data)]
  const lossAndGradients = valueAndGrad(transformer(B, T))
  const computed = jit(lossAndGradients)
  const wholeStep = jit((p, m, correction1, correction2, ...rest) => {
    const [loss, gradients] = lossAndGradients(tree.ref(p), ...rest)
    return { loss, ...adamw(p, gradients, m, correction1, correction2) }
  })
  let step = 0
  return {
    async gradients() {
      const [loss, gradients] = computed(tree.ref(parameters), ...tree.ref(data))
      const arrays = Object.entries(gradients).map(async ([name, g]) => [name, await g.data()])
      return { loss: (await loss.data())[0], gradients: Object.fromEntries(await Promise.all(arrays)) }
    },
    async train() {
      step++
      const corrections = [optimizer.beta1, optimizer.beta2].map((beta) => np.array(1 / (1 - beta ** step)))
      const updated = wholeStep(parameters, moments, ...corrections, ...tree.ref(data))
      await blockUntilReady(updated)
      updated.loss.dispose()
      parameters = updated.parameters
      moments = updated.moments
    },
  }
})
