import {
  type Attributes,
  addNode,
  type Body,
  type Node,
  placeholder,
  Scope,
  scopeNow,
  type Tensor,
  within,
} from './graph.ts'

export interface CopyOptions {
  /** Nodes that are left out, at any depth; none of their outputs may be used. */
  readonly without?: (node: Node) => boolean
  /** Attributes that nodes of the body get on top; the mark on a loop inside stands for all that is in it. */
  readonly mark?: Attributes
}

/** What a body is given: its placeholders. */
type Given = Pick<Body, 'index' | 'carry' | 'scanned'>

/** A body once more, in a scope of its own. What it uses from outside, work on parameters too, is the same tensor. */
export function copyBody(body: Body): Body {
  return copyInner(body, new Map(), {})
}

/** The work of a body once more, in the scope at hand, on other tensors than its placeholders. */
export function copyInto(given: Given, body: Body, options: CopyOptions = {}): Body {
  return copyNodes(given, body, new Map(), options)
}

function copyNodes(given: Given, body: Body, copies: Map<Tensor, Tensor>, { without, mark }: CopyOptions): Body {
  const stand = (from: readonly Tensor[], to: readonly Tensor[]) => {
    for (const [i, t] of from.entries()) copies.set(t, to[i])
  }
  const copyOf = (t: Tensor): Tensor => copies.get(t) ?? t
  stand([body.index, ...body.carry, ...body.scanned], [given.index, ...given.carry, ...given.scanned])
  for (const node of body.scope.nodes) {
    if (node.op === 'placeholder' || without?.(node)) continue
    const inner = node.body && copyInner(node.body, copies, { without })
    const attributes = { ...node.attributes, ...mark }
    const copy = addNode(node.op, node.inputs.map(copyOf), node.outputs, attributes, {
      body: inner,
      parameterOnly: false,
    })
    stand(node.outputs, copy.outputs)
  }
  return { scope: scopeNow(), ...given, next: body.next.map(copyOf), collected: body.collected.map(copyOf) }
}

function copyInner(body: Body, copies: Map<Tensor, Tensor>, options: CopyOptions): Body {
  const again = (tensors: readonly Tensor[]) => tensors.map((t) => placeholder(t))
  return within(new Scope(scopeNow()), () => {
    const given = { index: placeholder(body.index), carry: again(body.carry), scanned: again(body.scanned) }
    return copyNodes(given, body, copies, options)
  })
}
