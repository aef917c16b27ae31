/** TensorFlow.js beside Lathe, on its WebAssembly backend: f32. */
import { dirname, join } from 'node:path'
import { library, parsePlan, ropeTables, serve, settings } from './protocol.js'

const tf = library('@tensorflow/tfjs')
const wasm = library('@tensorflow/tfjs-backend-wasm')
const { config, optimizer, threads } = settings

/** The loss of tokens [B, T] as a function of the weights. Linear maps are [out, in]; rows are the B · T positions. */
function transformer(B, T) {
  const { nHeads: H, dHead: K, dModel: D, vocabulary } = config
  const [cos, sin] = ropeTables(config, T).map((data) => tf.tensor(data, [1, T, 1, K]))
  const hidden = Float32Array.from({ length: T * T }, (_, i) => (i % T > Math.floor(i / T) ? -1e9 : 0))
  const mask = tf.tensor(hidden, [1, T, T])

  const linear = (p, name, x) => tf.matMul(x, p[`${name}.weight`], false, true)
  const norm = (p, name, x) => {
    const centred = x.sub(x.mean(-1, true))
    const variance = centred.square().mean(-1, true)
    return centred.mul(variance.add(config.normEps).rsqrt()).mul(p[`${name}.weight`])
  }
  const rotate = (x) => {
    const [first, second] = tf.split(x, 2, -1)
    return x.mul(cos).add(tf.concat([second.neg(), first], -1).mul(sin))
  }
  const heads = (x) => x.transpose([0, 2, 1, 3]).reshape([B * H, T, K])
  const attention = (p, at, x) => {
    const [q, k, v] = ['q', 'k', 'v'].map((name) => linear(p, `${at}.${name}_proj`, x).reshape([B, T, H, K]))
    const scores = tf.matMul(heads(rotate(q)), heads(rotate(k)), false, true).mul(config.attentionScale)
    const mixed = tf.matMul(tf.softmax(scores.add(mask)), heads(v)).reshape([B, H, T, K])
    return linear(p, `${at}.o_proj`, mixed.transpose([0, 2, 1, 3]).reshape([B * T, D]))
  }
  const gelu = (x) => {
    const inner = x.add(x.mul(x).mul(x).mul(0.044715)).mul(Math.sqrt(2 / Math.PI))
    return x.mul(inner.tanh().add(1)).mul(0.5)
  }
  const mlp = (p, at, x) => linear(p, `${at}.down_proj`, gelu(linear(p, `${at}.up_proj`, x)))

  return (p, tokens, targets, lossWeights) => {
    // the backend has no gradient of gather
    let x = tf.matMul(tokens, p['model.embed_tokens.weight'])
    for (const i of parsePlan(config.plan)) {
      const at = `model.layers.${i}`
      x = x.add(attention(p, `${at}.self_attn`, norm(p, `${at}.input_layernorm`, x)))
      x = x.add(mlp(p, `${at}.mlp`, norm(p, `${at}.post_attention_layernorm`, x)))
    }
    const logits = linear(p, 'lm_head', norm(p, 'model.norm', x)).reshape([B * T, vocabulary])
    return tf.logSoftmax(logits).mul(targets).sum(-1).mul(lossWeights).sum().neg()
  }
}

await serve(async (weights, batch) => {
  wasm.setWasmPaths(join(dirname(library.resolve('@tensorflow/tfjs-backend-wasm')), '/'))
  wasm.setThreadsCount(threads)
  if (!(await tf.setBackend('wasm'))) throw new Error('TensorFlow.js has no wasm backend here')
  const [B, T] = batch.tokens.shape
  const oneHot = ({ data }) => tf.oneHot(tf.tensor1d(data, 'int32'), config.vocabulary).toFloat()
  const data = [oneHot(batch.tokens), oneHot(batch.targets), tf.tensor(batch.lossWeights.data)]
  const variable = ([name, { shape, data }]) => [name, tf.variable(tf.tensor(data, shape), true, name)]
  const parameters = Object.fromEntries(Object.entries(weights).map(variable))
  const loss = transformer(B, T)
  const compute = () => tf.variableGrads(() => loss(parameters, ...data), Object.values(parameters))
  const zeros = () => Object.entries(weights).map(([name, { shape }]) => [name, tf.variable(tf.zeros(shape))])
  const [firsts, seconds] = [Object.fromEntries(zeros()), Object.fromEntries(zeros())]
  const { beta1, beta2, eps, learningRate, weightDecay, clip } = optimizer

  /** Clipped by the global norm, then AdamW (Loshchilov & Hutter 2019, Algorithm 2). */
  function update(gradients, step) {
    const norm = tf.addN(Object.values(gradients).map((g) => g.square().sum())).sqrt()
    const scale = tf.minimum(1, tf.div(clip, norm))
    for (const [name, p] of Object.entries(parameters)) {
      const g = gradients[name].mul(scale)
      firsts[name].assign(firsts[name].mul(beta1).add(g.mul(1 - beta1)))
      seconds[name].assign(seconds[name].mul(beta2).add(g.square().mul(1 - beta2)))
      const divisor = seconds[name]
        .div(1 - beta2 ** step)
        .sqrt()
        .add(eps)
      const direction = firsts[name].div(1 - beta1 ** step).div(divisor)
      p.assign(p.mul(1 - learningRate * weightDecay).sub(direction.mul(learningRate)))
    }
  }
  let step = 0
  return {
    async gradients() {
      const { value, grads } = compute()
      const arrays = Object.entries(grads).map(async ([name, g]) => [name, await g.data()])
      const found = { loss: (await value.data())[0], gradients: Object.fromEntries(await Promise.all(arrays)) }
      tf.dispose([value, grads])
      return found
    },
    async train() {
      step++
      const value = tf.tidy(() => {
        const { value, grads } = compute()
        update(grads, step)
        return value
      })
      await value.data()
      value.dispose()
    },
  }
})
