/** What a graph is made of, as far as planning and drawing are concerned: calls that need the results of others. */

export interface GraphNode {
  /** Unique in this process, and higher than those of its inputs. */
  readonly serial: number
  /** What people call it. */
  readonly name: string
  /**
   * Which of its arguments is its only input, when that is all it needs of the cluster and stands there itself; else -1.
   * Only then can the two be one task.
   */
  readonly link: number
}
