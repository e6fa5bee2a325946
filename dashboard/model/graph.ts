/**
 * Where the boxes of a graph stand: in layers, each below all that it takes values of, side by side as far as there is
 * room. The order within a layer follows that of the layer above, so that few arrows cross.
 */

export interface Node {
  /** Places of those it takes values of. */
  readonly inputs: readonly number[]
}

export interface Sizes {
  /** Of the whole drawing. */
  readonly width: number
  readonly boxWidth: number
  readonly boxHeight: number
  /** Between boxes of a layer, and between layers. */
  readonly gap: number
  readonly layerGap: number
}

export interface Place {
  readonly x: number
  readonly y: number
}

export interface Arrow {
  readonly from: number
  readonly to: number
}

export interface Layout {
  /** Of each node, its left upper corner. */
  readonly places: readonly Place[]
  /** Without those from a node to itself. */
  readonly arrows: readonly Arrow[]
  readonly height: number
}

export function layOut(nodes: readonly Node[], sizes: Sizes): Layout {
  const { width, boxWidth, boxHeight, gap, layerGap } = sizes
  const rowLength = Math.max(1, Math.floor((width + gap) / (boxWidth + gap)))
  const places: Place[] = []
  let y = 0
  for (const layer of ordered(layersOf(nodes), nodes)) {
    for (let start = 0; start < layer.length; start += rowLength) {
      const row = layer.slice(start, start + rowLength)
      const left = Math.max(0, (width - row.length * (boxWidth + gap) + gap) / 2)
      row.forEach((node, at) => (places[node] = { x: left + at * (boxWidth + gap), y }))
      y += boxHeight + (start + rowLength < layer.length ? gap : layerGap)
    }
  }
  const arrows = nodes.flatMap(({ inputs }, to) => inputs.filter((from) => from !== to).map((from) => ({ from, to })))
  return { places, arrows, height: Math.max(0, y - layerGap) }
}

/** A line from below one box to above another, which leaves and arrives upright. */
export function pathOf({ from, to }: Arrow, { places }: Layout, { boxWidth, boxHeight }: Sizes): string {
  const [start, end] = [places[from]!, places[to]!]
  const [x1, y1, x2, y2] = [start.x + boxWidth / 2, start.y + boxHeight, end.x + boxWidth / 2, end.y]
  const bend = Math.max(16, Math.abs(y2 - y1) / 2)
  return `M${x1} ${y1} C${x1} ${y1 + bend} ${x2} ${y2 - bend} ${x2} ${y2}`
}

/** Each node is one layer below the lowest of its inputs. Where functions call for each other in a circle, it is cut. */
function layersOf(nodes: readonly Node[]): number[][] {
  const depths: (number | undefined)[] = nodes.map(() => undefined)
  const isOpen = nodes.map(() => false)
  for (let first = 0; first < nodes.length; first++) {
    // Without recursion: a chain may be as long as there are nodes.
    const stack = [first]
    while (stack.length > 0) {
      const node = stack.at(-1)!
      const { inputs } = nodes[node]!
      if (depths[node] !== undefined) stack.pop()
      else if (isOpen[node]) {
        const above = inputs.map((input) => depths[input] ?? -1)
        depths[node] = Math.max(-1, ...above) + 1
        stack.pop()
      } else {
        isOpen[node] = true
        for (const input of inputs) if (depths[input] === undefined && !isOpen[input]) stack.push(input)
      }
    }
  }
  const layers: number[][] = []
  depths.forEach((depth, node) => (layers[depth!] ??= []).push(node))
  return layers
}

function ordered(layers: readonly number[][], nodes: readonly Node[]): number[][] {
  const position = new Map<number, number>()
  const linked = new Set(
    nodes.flatMap(({ inputs }, node) => (inputs.some((each) => each !== node) ? [node, ...inputs] : [])),
  )
  return layers.map((layer) => {
    const wish = (node: number): number => {
      // So that where a layer has several rows no arrow goes past them.
      if (!linked.has(node)) return -1
      const above = nodes[node]!.inputs.flatMap((input) => position.get(input) ?? [])
      return above.length === 0 ? Infinity : above.reduce((sum, at) => sum + at, 0) / above.length
    }
    const wishes = new Map(layer.map((node) => [node, wish(node)]))
    const sorted = layer.toSorted((a, b) => {
      const [left, right] = [wishes.get(a)!, wishes.get(b)!]
      return left === right ? a - b : left - right
    })
    sorted.forEach((node, at) => position.set(node, (at + 0.5) / sorted.length))
    return sorted
  })
}
