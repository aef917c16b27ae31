import { lower, printProgram } from 'lathe/compile'
import { chooseExecutor } from 'lathe/executor'
import { input, output, parameter, trace } from 'lathe/graph'
import { add, matmul, repeat, unary } from 'lathe/ops'
import { LoopPlan } from 'lathe/plan'
import { applySettings, phopTiny } from 'lathe/recipes'
import { createRun, train } from 'lathe/train'

// A plan is one short string, and answers every question about depth.
const plan = LoopPlan.parse('4,4x4,4')
console.log(`${plan}: ${plan.distinctLayers} layers, ${plan.effectiveDepth} deep, beside ${plan.isoFlop()}`)

// Model code is written for one sequence. A loop is one node, whatever its count.
const graph = trace('think', () => {
  const w = parameter('w', [3, 3])
  const { carry } = repeat({ count: 4, carry: { x: input('x', [2, 3]) } }, ({ x }) => ({
    carry: { x: add(x, unary('tanh', matmul(x, w))) },
  }))
  output('y', carry.x)
})
const program = lower(graph)
console.log(printProgram(program))

// Any executor runs it; a run takes many sequences, stacked.
const executor = chooseExecutor()
const executable = executor.compile(program)
const w = new Float32Array(9).fill(0.1)
const { y } = await executable.run({ count: 1, parameters: { w }, inputs: { x: Float32Array.of(1, 2, 3, 4, 5, 6) } })
console.log(`on ${executor.name} ${executor.isa}: ${[...y].map((value) => value.toFixed(3)).join(' ')}`)

// A recipe is a function; a run is a folder that explains itself.
const recipe = applySettings(phopTiny(), ['steps=20', 'batch=16', 'evaluate.samples=64', 'evaluate.loops=[1,3]'])
const { name, isa, precision, threads } = executor
const run = await createRun(recipe, { executor: name, isa, precision, threads }, { path: process.argv[2] })
const result = await train(run, { executor })
console.log(`${result.steps} steps of ${recipe.model.plan}: loss ${result.loss?.toFixed(3)}, in ${result.run}`)
