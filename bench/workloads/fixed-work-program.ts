/** A process that does the work of `cpu-scaling` as often as it is told, and says when it is done. */
import { work, type Order } from './fixed-work.js'

process.on('message', ({ iterations, times }: Order) => {
  for (let time = 0; time < times; time++) work(iterations)
  process.send?.('done')
})
